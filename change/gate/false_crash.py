"""Runs that were marked as Crashed while they waited.

A suspended run has no process that could crash. Two can say so all the same: the automation for runs without
heartbeat, when a last heartbeat reaches the server after the suspension and begins a silence that nothing
ends; and a worker whose process was killed right after it had suspended the run. Nobody would look for such
a run any more, and its merge would go unnoticed. So it is put back to where it was.
"""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus

from change.flow_runs import runs_in
from change.gate.waking import Log


def take_back_false_crashes(
    client: SyncPrefectClient, flows: tuple[str, ...], log: Log, true: set[UUID]
) -> None:
    """Look once at the runs of these flows.

    Args:
        client, flows, log: whose runs, and where it is said.
        true: ids of states in which runs really crashed; they are not asked about again.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError, httpx.HTTPError: the server could not be asked.
    """
    for run in runs_in(client, [StateType.CRASHED], *flows):
        if run.state_id in true:
            continue
        waited = _waited_as(client, run)
        if waited is None:
            if run.state_id is not None:
                true.add(run.state_id)
            continue
        # As it was, with the key of its form: what a person fills in belongs to that. By force, because what
        # has ended may not go on otherwise.
        again: State[None] = State(
            type=waited.type, name=waited.name, message=waited.message, state_details=waited.state_details
        )
        if client.set_flow_run_state(run.id, again, force=True).status is SetStateStatus.ACCEPT:
            said = run.state.message if run.state else None
            log.warning("%s was marked as Crashed while it waited; it waits again (%s)", run.name, said)


def _waited_as(client: SyncPrefectClient, run: FlowRun) -> State | None:
    """The state in which a run waited when it was marked as Crashed; None if it did not wait then."""
    if not run.empirical_policy.pause_keys:
        return None
    states = sorted(client.read_flow_run_states(run.id), key=lambda state: state.timestamp)
    if states and states[-1].type is not StateType.CRASHED:
        return None  # somebody has retried it meanwhile
    # A worker says it twice.
    before = [state for state in states if state.type is not StateType.CRASHED]
    return before[-1] if before and before[-1].type is StateType.PAUSED else None
