"""Wake the runs whose world has changed since they looked last.

Waking is only a hint: each run looks at the base branch itself before it goes on. So a resume that was not
needed does no harm. Nothing is remembered that has to be: what a run saw stands in its record, and a
difference that could not be announced is found again by the next round.

One round costs a request a hundred open pull requests and one for the base branch, whoever waits, and a clone
when the base branch has moved; and for runs whose change has landed, a login at each of their clusters, or
whatever the runbook asks.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from pydantic import ValidationError

from change import connect
from change.asked import Asked
from change.execution import execution
from change.flow_runs import runs_in
from change.gate import record as gate_record
from change.gate.crashed import start_crashed_runs_again
from change.gate.visits import Visits
from change.gate.waits import APPROVAL, MERGE, Waits, key_of, kind_of, waits_of
from change.gate.waking import SETTLE, AtGate, Lacks, Log, Waker, about
from change.gate.watched_repository import Watched
from change.runbook import Runbook
from change.step import step
from runbook.errors import EnablementError, UnexpectedAnswer
from runbook.gate import GateRecord, LackRecord
from systems.github import CallsLeft

_LOOKS = 5
"""More, at most, in a round that could not wake or start a run yet."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one look found.

    Attributes:
        waiting: runs that wait for a merge, or for something after it; not those that wait for an approval.
        woken: names of those that were resumed.
        again: names of those that are to be woken or started and could not be yet: Prefect was busy, or
            the process of the run is about to end.
        problems: repositories, connections or places that could not be read; the runs of others were served.
        unfinished: whether something more urgent came in between; the next look goes on with the rest.
        waits: what all suspended runs wait for, also those for which nobody looks here.
        wakings: how many runs were woken, by what they waited for.
    """

    waiting: int
    woken: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    problems: tuple[EnablementError, ...] = ()
    unfinished: bool = False
    waits: Waits = field(default_factory=Waits)
    wakings: Mapping[str, int] = field(default_factory=dict)


class Watch:
    """Looks at what runs wait for, and keeps what makes the next round cheap. Not for two threads at once.

    Args:
        runbooks: whose runs wait.
        log: takes a line for each run that is woken, with the reason.
        others: names of further flows whose crashed runs are started again.
        settle: seconds that a run is left alone after it has suspended, see `waking.SETTLE`.
    """

    def __init__(
        self, runbooks: Sequence[Runbook], log: Log, *, others: Sequence[str] = (), settle: float = SETTLE
    ) -> None:
        self._runbooks = runbooks
        self._log = log
        self._watched: dict[str, Watched] = {}
        self._settle = settle
        self._visits = Visits(log)
        self._started_again = (*(book.flow for book in runbooks), *others)

    def close(self) -> None:
        """Close the connections."""
        for watched in self._watched.values():
            watched.close()
        self._watched.clear()
        self._visits.close()

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
        counted, ended = 0, True
        problems: list[EnablementError] = []
        # Their connections and names are read once a look.
        with execution(), get_client(sync_client=True) as client:
            waker = Waker(client, self._log, self._settle)
            if repository is None:
                waker.again += start_crashed_runs_again(client, self._started_again, self._log, self._settle)
            by_connection: dict[str, list[AtGate]] = defaultdict(list)
            lacking: list[Lacks] = []
            states = [StateType.PAUSED, StateType.RUNNING]
            runs = [(book, run) for book in self._runbooks for run in runs_in(client, states, book.flow)]
            for waiting in self._waiting(runs):
                if isinstance(waiting, Lacks):
                    lacking.append(waiting)
                else:
                    by_connection[waiting.asked.gitops].append(waiting)
            for name, group in by_connection.items():
                try:
                    watched = self._watch(name, group[0].asked)
                    if repository in (None, watched.connection.repository):
                        counted += len(group)
                        ended &= watched.look(group, waker, is_wanted_elsewhere)
                except EnablementError as error:
                    # The runs of other repositories are not to wait for this one.
                    problems.append(error)
                except httpx.HTTPError:
                    raise  # of the Prefect server
                except Exception as error:  # noqa: BLE001 - nor for a defect of ours that it triggers
                    self._log.warning("%s could not be checked", name, exc_info=True)
                    problems.append(_fault(name, error))
            if repository is None:
                for name in self._watched.keys() - by_connection.keys():
                    self._watched.pop(name).close()  # nobody waits for it any more
                # Of what a delivery tells, nothing concerns these.
                counted += len(lacking)
                problems += self._visits.look(lacking, waker)
        return Round(
            counted,
            tuple(waker.woken),
            tuple(waker.again),
            tuple(problems),
            unfinished=not ended,
            waits=waits_of(run for _, run in runs),
            wakings=waker.kinds,
        )

    def github_calls(self) -> dict[str, CallsLeft]:
        """What GitHub said last of the calls that are left, by name of the connection whose token it was.

        Only of those for which runs wait: of others it would soon be wrong.
        """
        calls = {name: watched.calls_left for name, watched in self._watched.items()}
        return {name: left for name, left in calls.items() if left}

    def _waiting(self, runs: Iterable[tuple[Runbook, FlowRun]]) -> Iterator[AtGate | Lacks]:
        """Of runs that are suspended, or may be about to, those that are woken."""
        for runbook, run in runs:
            kind = _waits_for(run)
            if kind in {"", APPROVAL}:
                continue  # nothing to look for
            try:
                asked = runbook.read(run.parameters)
            except (EnablementError, ValidationError) as error:
                about(self._log, run).warning(
                    "waits with parameters that this version cannot read: %s", error
                )
                continue
            if kind == MERGE:
                yield AtGate(run, runbook, asked, GateRecord.of_labels(run.labels))
            else:
                record = LackRecord.of_labels(run.labels)
                yield Lacks(run, runbook, asked, kind, record if record and record.kind == kind else None)

    def _watch(self, name: str, asked: Asked) -> Watched:
        connection = connect.gitops_repository(asked)
        watched = self._watched.get(name)
        if watched is None or watched.connection != connection:
            # Where somebody changed the connection, nothing that was seen through the old one counts.
            if watched is not None:
                watched.close()
            watched = self._watched[name] = Watched(connection)
        return watched


def _fault(repository: str, error: Exception) -> EnablementError:
    return UnexpectedAnswer(
        "Git",
        f"repository of the GitOpsRepository {repository}",
        f"its runs could not be checked ({type(error).__name__})",
        "Read the traceback in the log and report it. The runs of other repositories were served.",
    )


def _waits_for(run: FlowRun) -> str:
    """The kind of what a run waits for; empty if it does not, or if that cannot be told."""
    if run.state_type == StateType.PAUSED:
        return kind_of(run.state)
    # It has looked and is about to suspend. One that has not looked yet since it was woken will.
    gate, lack = GateRecord.of_labels(run.labels), LackRecord.of_labels(run.labels)
    if gate and not gate.passed:
        return MERGE if gate.suspensions == gate_record.suspensions(run) else ""
    if lack and not lack.over and lack.suspensions == gate_record.suspensions(run, key_of(lack.kind)):
        return lack.kind
    return ""


@step("wake the runs whose world has changed")
def wake_waiting_runs(runbooks: Sequence[Runbook], others: Sequence[str] = ()) -> dict[str, Any]:
    """One round over everything, for the runs of these runbooks.

    Args:
        runbooks, others: see `Watch`.

    Returns:
        ``waiting``: how many runs wait; ``woken``: names of those that were resumed.

    Raises:
        EnablementError: a repository or a connection could not be read; the runs of the others were woken.
    """
    logger = get_run_logger()
    with closing(Watch(runbooks, logger, others=others)) as watch:
        found = watch.look()
        for _ in range(_LOOKS):
            if not found.again:
                break
            time.sleep(SETTLE)
            later = watch.look()
            found = replace(later, woken=found.woken + later.woken)
    logger.info("%d runs wait; woken: %s", found.waiting, ", ".join(found.woken) or "none")
    if found.problems:
        raise found.problems[0]
    return {"waiting": found.waiting, "woken": list(found.woken)}
