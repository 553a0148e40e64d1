"""Wake the runs whose world has changed since they looked last.

Waking is only a hint: each run looks at the base branch itself before it goes on. So a resume that was not
needed does no harm. Nothing is remembered that has to be: what a run saw stands in its record, and a
difference that could not be announced is found again by the next round.

One round costs a request a hundred open pull requests and one for the base branch, whoever waits, and a clone
when the base branch has moved.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from pydantic import ValidationError

from runbook.errors import EnablementError
from runbook.gate import GateRecord
from runbook.request import EnableRequest
from systems.github_watched import WatchedRepository
from tasks import connect, gate_record
from tasks.false_crash import FalseCrashes
from tasks.flow_runs import ENABLE, runs_in
from tasks.step import look
from tasks.waking import Log, Waiting, Waker
from tasks.watched_repository import Look, Watched


@dataclass(frozen=True, slots=True)
class Round:
    """What one look found.

    Attributes:
        waiting: runs that wait at the gate.
        woken: names of those that were resumed.
        again: names of those that are to be woken and could not be yet: Prefect was busy, or the run has
            looked and is about to suspend.
        problems: repositories or connections that could not be read; the runs of the others were served.
        unfinished: whether something more urgent came in between; the next look goes on with the rest.
    """

    waiting: int
    woken: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    problems: tuple[EnablementError, ...] = ()
    unfinished: bool = False


class Watch:
    """Looks at what runs wait for, and keeps what makes the next round cheap. Not for two threads at once.

    Args:
        log: takes a line for each run that is woken, with the reason.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._watched: dict[str, Watched] = {}
        self._false_crashes = FalseCrashes(log)

    @property
    def not_before(self) -> float | None:
        """When GitHub may be asked again, of `time.monotonic`; None if it did not ask us to stay away."""
        latest = max((watched.not_before for watched in self._watched.values()), default=0.0)
        return latest if latest > time.monotonic() else None

    def close(self) -> None:
        """Close the connections."""
        for watched in self._watched.values():
            watched.closing.close()
        self._watched.clear()

    def look(
        self, repository: str | None = None, *, is_wanted_elsewhere: Callable[[], bool] = lambda: False
    ) -> Round:
        """Look once, and resume the runs that have a reason to look themselves.

        Args:
            repository: ``owner/name``: only the runs that wait for this one; all if not given.
            is_wanted_elsewhere: asked between two runs while a base branch that moved is compared with what
                hundreds of them saw; that is left for the next look where something else is more urgent.

        Raises:
            prefect.exceptions.PrefectHTTPStatusError, httpx.HTTPError: the Prefect server could not be asked.
        """
        with get_client(sync_client=True) as client:
            if repository is None:
                self._false_crashes.take_back(client)
            by_connection: dict[str, list[Waiting]] = defaultdict(list)
            for waiting in self._waiting(client):
                by_connection[waiting.request.gitops].append(waiting)
            counted, problems, unfinished = 0, [], False
            waker = Waker(client, self._log)
            for name, group in by_connection.items():
                try:
                    watched = self._watch(name, group[0].request)
                    if repository in (None, watched.connection.repository):
                        counted += len(group)
                        look = Look(watched, waker, group, is_wanted_elsewhere)
                        problems += look.wake()
                        unfinished |= look.is_unfinished
                except EnablementError as error:
                    # The runs of other repositories are not to wait for this one.
                    problems.append(error)
        return Round(counted, tuple(waker.woken), tuple(waker.again), tuple(problems), unfinished)

    def _waiting(self, client: SyncPrefectClient) -> Iterator[Waiting]:
        # Those that are suspended, and those that may be about to suspend.
        for run in runs_in(client, [StateType.PAUSED, StateType.RUNNING], ENABLE):
            record = GateRecord.of_labels(run.labels)
            if not _is_at_gate(run, record):
                continue
            try:
                yield Waiting(run, EnableRequest.model_validate(run.parameters), record)
            except (EnablementError, ValidationError) as error:
                self._log.warning(
                    "%s waits with parameters that this version does not know: %s", run.name, error
                )

    def _watch(self, name: str, request: EnableRequest) -> Watched:
        connection = connect.gitops_repository(request)
        watched = self._watched.get(name)
        if watched is not None and watched.connection == connection:
            return watched
        if watched is not None:
            # Somebody changed the connection: nothing that was seen through the old one counts.
            watched.closing.close()
        with ExitStack() as stack:
            github = stack.enter_context(connection.github())
            made = Watched(
                connection, WatchedRepository(github, connection.base_branch), closing=stack.pop_all()
            )
        self._watched[name] = made
        return made


def _is_at_gate(run: FlowRun, record: GateRecord | None) -> bool:
    if record and record.passed:
        return False
    if run.state_type == StateType.RUNNING:
        # It has looked and is about to suspend. One that has not looked yet since it was woken will.
        return record is not None and record.suspensions == gate_record.suspensions(run)
    key = run.state.state_details.pause_key if run.state else None
    return (key or "").startswith(gate_record.KEY)


@look("wake the runs whose world has changed")
def wake_waiting_runs() -> dict[str, Any]:
    """One round over all repositories.

    Returns:
        ``waiting``: how many runs wait; ``woken``: names of those that were resumed.

    Raises:
        EnablementError: a repository or a connection could not be read; the runs of the others were woken.
    """
    logger = get_run_logger()
    watch = Watch(logger)
    try:
        found = watch.look()
    finally:
        watch.close()
    logger.info("%d runs wait for their merge; woken: %s", found.waiting, ", ".join(found.woken) or "none")
    if found.problems:
        raise found.problems[0]
    return {"waiting": found.waiting, "woken": list(found.woken)}
