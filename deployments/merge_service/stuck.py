"""Runs in Pending that nobody starts any more.

A worker takes a run by setting it to Pending, starts a process for it, and the process sets it to Running. A
worker that is killed in between (SIGKILL, a lost machine) leaves the run in Pending for ever: no other worker
takes a run that is Pending. Set to Scheduled again, the next worker starts it. What the run carries
(parameters, labels, keys of its suspensions, results) is not touched by that.

A run that is merely starting is also Pending, for seconds. Each step of the start (Pending, Submitting) is a
state of its own with its own time, so the time since the last step is what counts, not before the scheduled
time: a worker takes runs some seconds early. And a run is only revived in the second look that finds the same
state, so that a clock that differs from the server's cannot make a young state look old.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Scheduled

from tasks.flow_runs import ENABLE, WATCH, runs_in


class StuckRuns:
    """Finds them and sets them to Scheduled. Remembers what it saw in the look before."""

    def __init__(self, limit: float, log: logging.Logger) -> None:
        """Args: limit: seconds; longer than the slowest start of a run takes."""
        self._limit = timedelta(seconds=limit)
        self._log = log
        self._seen: frozenset[UUID] = frozenset()

    def revive(self, client: SyncPrefectClient) -> list[str]:
        """Look once. Returns the names of the runs that were set to Scheduled.

        Raises:
            httpx.HTTPError: the Prefect server did not answer, or refused.
        """
        overdue = {
            state.id: run
            for run in runs_in(client, [StateType.PENDING], ENABLE, WATCH)
            if (state := run.state) is not None and self._is_overdue(state)
        }
        again = [run for state, run in overdue.items() if state in self._seen]
        self._seen = frozenset(overdue)
        return [run.name for run in again if self._reschedule(client, run)]

    def _is_overdue(self, state: State) -> bool:
        since = max(filter(None, (state.timestamp, state.state_details.scheduled_time)))
        return datetime.now(UTC) - since > self._limit

    def _reschedule(self, client: SyncPrefectClient, run: FlowRun) -> bool:
        # Prefect has no compare-and-set; looking right before keeps the gap to milliseconds.
        now = client.read_flow_run(run.id).state
        if now is None or run.state is None or now.id != run.state.id:
            return False
        message = (
            f"Was {now.name} since {now.timestamp:%Y-%m-%d %H:%M:%S} UTC, and was not started: the worker "
            "that had taken it is gone. Scheduled again by the merge service."
        )
        result: OrchestrationResult[None] = client.set_flow_run_state(run.id, Scheduled(message=message))
        if result.status is not SetStateStatus.ACCEPT:
            self._log.warning("%s is stuck in %s and was not set to Scheduled.", run.name, now.name)
            return False
        self._log.warning("%s was stuck in %s; set to Scheduled again.", run.name, now.name)
        return True
