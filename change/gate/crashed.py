"""Start crashed runs again, a few times.

A run is Crashed when its process ended without a word: its worker or its machine is gone, it was evicted, or
needed more memory than it may have. A run that waits has no process, and is marked so all the same where its
last heartbeat reaches the server after the suspension, or where its process was killed right after that. Any
of them goes on when it is started: it looks at everything, and suspends again if it still has to wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Crashed

from change.flow_runs import runs_in
from change.gate.waking import SETTLE, Log, about

MOST, WITHIN = 3, timedelta(days=1)
"""So many crashes within this time, and a run is left alone: it would crash for ever."""

_GIVEN_UP = "Not started again: "


def start_crashed_runs_again(
    client: SyncPrefectClient,
    flows: Iterable[str],
    log: Log,
    settle: float = SETTLE,
    now: datetime | None = None,
) -> list[str]:
    """Look once at the runs of these flows. What crashed long ago is not asked for.

    Args:
        client, flows, log: whose runs, and where it is said.
        settle: seconds that a crash is left alone.
        now: the time, if not that of this machine.

    Returns:
        Names of those that crashed a moment ago: a worker says so twice, and the second time would undo it.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError, httpx.HTTPError: the server could not be asked.
    """
    now, later = now or datetime.now(UTC), []
    for run in runs_in(client, [StateType.CRASHED], *flows, ended_after=now - WITHIN):
        if run.state is None or (run.state.message or "").startswith(_GIVEN_UP) or not run.deployment_id:
            continue
        if abs((now - run.state.timestamp).total_seconds()) < settle:
            later.append(run.name)
        else:
            _start_again(client, run, now - WITHIN, log)
    return later


def _start_again(client: SyncPrefectClient, run: FlowRun, since: datetime, log: Log) -> None:
    states = sorted(client.read_flow_run_states(run.id), key=lambda state: state.timestamp)
    if not states or states[-1].type is not StateType.CRASHED:
        return  # somebody was quicker, or has deleted it
    said, crashes = states[-1].message or "no message", _crashes(states, since)
    state: State[None]
    if crashes < MOST:
        state = AwaitingRetry(
            scheduled_time=datetime.now(UTC), message=f"Started again after crash {crashes} of {MOST}: {said}"
        )
    else:
        state = Crashed(
            message=f"{_GIVEN_UP}it crashed {crashes} times within a day. Look at the log of its worker, and "
            f"whether it needed more memory than it may have; then press Retry. The last time: {said}"
        )
    with suppress(ObjectNotFound):  # it was deleted a moment ago
        # By force: the keys of its suspensions stay, and with them what people filled in.
        if client.set_flow_run_state(run.id, state, force=True).status is SetStateStatus.ACCEPT:
            about(log, run).warning("crashed. %s", state.message)


def _crashes(states: Iterable[State], since: datetime) -> int:
    """How often it crashed; what is said twice in a row is one."""
    recent = [state.type for state in states if state.timestamp >= since]
    crashed = StateType.CRASHED
    return sum(before is not crashed and this is crashed for before, this in pairwise([None, *recent]))
