"""Wake the runs whose world has changed since they looked last.

Waking is only a hint: each run looks at the base branch itself before it goes on. So a resume that was not
needed does no harm. Nothing is remembered that has to be: what a run saw stands in its record, and a
difference that could not be announced is found again by the next round.

One round costs a request a hundred open pull requests and one for the base branch, whoever waits, and a clone
when the base branch has moved.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.input import keyset_from_paused_state
from pydantic import ValidationError

from connections import GitOpsRepository, VaultConnection
from runbook.errors import EnablementError, TransientError
from runbook.gate import GateRecord
from runbook.gitops import fingerprint, unmet, wanted_edits
from runbook.layout import Layout
from runbook.request import EnableRequest
from systems.github_watched import WatchedRepository
from systems.gitops import GitOpsClone
from tasks import connect, gate_record
from tasks.merge_gate import MergeAnswer
from tasks.repository import clone, head_of_base, store_settings
from tasks.siblings import FLOW
from tasks.step import look

PAGE = 200
"""Runs a request; the server gives no more at once."""

Log = logging.Logger | logging.LoggerAdapter[Any]


@dataclass(frozen=True, slots=True)
class Round:
    """What one look found.

    Attributes:
        waiting: runs that wait at the gate.
        woken: names of those that were resumed.
        again: names of those that are to be woken and could not be yet: Prefect was busy, or the run has
            looked and is about to suspend.
        problems: repositories or connections that could not be read; the runs of the others were served.
    """

    waiting: int
    woken: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    problems: tuple[EnablementError, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run at the gate, with what it is asked to do and what it saw; no record if another version waits."""

    run: FlowRun
    request: EnableRequest
    record: GateRecord | None


@dataclass(slots=True)
class _Watched:
    """What is kept of a repository between two rounds.

    Attributes:
        judged: base commit at which a run was found to have nothing to look at.
        not_before: when GitHub may be asked again, in seconds of `time.monotonic`.
    """

    connection: GitOpsRepository
    github: WatchedRepository
    closing: ExitStack
    judged: dict[UUID, str] = field(default_factory=dict)
    not_before: float = 0.0


def runs_to_watch(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """All runs of `enable-cluster` that are suspended, or may be about to suspend."""
    states = [StateType.PAUSED, StateType.RUNNING]
    found = 0
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": states}}}),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
            offset=found,
        )
        yield from page
        found += len(page)
        if len(page) < PAGE:
            return


class Watch:
    """Looks at what runs wait for, and keeps what makes the next round cheap. Not for two threads at once.

    Args:
        log: takes a line for each run that is woken, with the reason.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._watched: dict[str, _Watched] = {}

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

    def look(self, repository: str | None = None) -> Round:
        """Look once, and resume the runs that have a reason to look themselves.

        Args:
            repository: ``owner/name``: only the runs that wait for this one; all if not given.

        Raises:
            prefect.exceptions.PrefectHTTPStatusError, httpx.HTTPError: the Prefect server could not be asked.
        """
        with get_client(sync_client=True) as client:
            by_connection: dict[str, list[Waiting]] = defaultdict(list)
            for waiting in self._waiting(client):
                by_connection[waiting.request.gitops].append(waiting)
            counted, problems = 0, []
            waker = _Waker(client, self._log)
            for name, group in by_connection.items():
                try:
                    watched = self._watch(name, group[0].request)
                    if repository in (None, watched.connection.repository):
                        counted += len(group)
                        problems += _Look(watched, waker, group).wake()
                except EnablementError as error:
                    # The runs of other repositories are not to wait for this one.
                    problems.append(error)
        return Round(counted, tuple(waker.woken), tuple(waker.again), tuple(problems))

    def _waiting(self, client: SyncPrefectClient) -> Iterator[Waiting]:
        for run in runs_to_watch(client):
            record = GateRecord.of_labels(run.labels)
            if not _is_at_gate(run, record):
                continue
            try:
                yield Waiting(run, EnableRequest.model_validate(run.parameters), record)
            except (EnablementError, ValidationError) as error:
                self._log.warning(
                    "%s waits with parameters that this version does not know: %s", run.name, error
                )

    def _watch(self, name: str, request: EnableRequest) -> _Watched:
        connection = connect.gitops_repository(request)
        watched = self._watched.get(name)
        if watched is not None and watched.connection == connection:
            return watched
        if watched is not None:
            # Somebody changed the connection: nothing that was seen through the old one counts.
            watched.closing.close()
        with ExitStack() as stack:
            github = stack.enter_context(connection.github())
            made = _Watched(
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


class _Waker:
    """Resumes runs, and says of each how that went."""

    def __init__(self, client: SyncPrefectClient, log: Log) -> None:
        self._client = client
        self._log = log
        self.woken: list[str] = []
        self.again: list[str] = []

    def wake(self, waiting: Waiting, why: str) -> None:
        run = waiting.run
        try:
            answer = self._client.resume_flow_run(run.id, run_input={"note": why})
            if _lacks_form(answer):
                self._give_form(run)
                answer = self._client.resume_flow_run(run.id, run_input={"note": why})
        except ObjectNotFound:
            return  # deleted a moment ago
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            if status == 404:
                return
            self._log.warning("%s is to be woken (%s); Prefect answered %s", run.name, why, status)
            self.again.append(run.name)
            return
        if answer.status.value == "ACCEPT":
            self._log.info("%s was woken: %s", run.name, why)
            self.woken.append(run.name)
        elif run.state_type == StateType.RUNNING:
            self.again.append(run.name)
        elif answer.status.value == "ABORT":
            self._log.info("%s is to be woken (%s), and somebody did a moment ago", run.name, why)
        else:
            reason = getattr(answer.details, "reason", None)
            self._log.warning("%s is to be woken (%s); Prefect refused: %s", run.name, why, reason)

    @staticmethod
    def _give_form(run: FlowRun) -> None:
        """Save the form that a run has not come to save.

        Prefect suspends a run first and saves the form of its Resume then. A process that is killed in
        between leaves a run that nobody can resume: "Run input schema not found."
        """
        if run.state:
            MergeAnswer.save(keyset_from_paused_state(run.state), flow_run_id=run.id)


def _lacks_form(answer: OrchestrationResult[Any]) -> bool:
    reason = getattr(answer.details, "reason", None) or ""
    return answer.status.value == "REJECT" and "schema not found" in reason


class _Look:
    """One look at one repository, for all runs that wait for it."""

    def __init__(self, watched: _Watched, waker: _Waker, waiting: list[Waiting]) -> None:
        self._watched = watched
        self._waker = waker
        self._waiting = waiting

    def wake(self) -> list[EnablementError]:
        """Wake whom it concerns; returns what could not be read."""
        problems = []
        now = datetime.now(UTC)
        self._wake({each.run.id: each.record.why_of_time(now) for each in self._waiting if each.record})
        base = None
        if self._watched.not_before <= time.monotonic():
            try:
                heads = self._watched.github.open_heads()
                self._wake(
                    {
                        each.run.id: each.record.why_of_pull_requests(heads)
                        for each in self._waiting
                        if each.record
                    }
                )
                base = self._watched.github.base_commit()
            except EnablementError as error:
                problems.append(error)
                if isinstance(error, TransientError) and error.retry_after:
                    self._watched.not_before = time.monotonic() + error.retry_after
        try:
            # Where GitHub's API does not answer, the Git remote may; it is another service with other limits.
            if self._unjudged(base or head_of_base(self._watched.connection)):
                self._judge()
        except EnablementError as error:
            problems.append(error)
        return problems

    def _wake(self, reasons: Mapping[UUID, str]) -> None:
        for each in list(self._waiting):
            why = reasons.get(each.run.id, "")
            if why:
                self._waker.wake(each, why)
                self._waiting.remove(each)

    def _unjudged(self, base: str) -> bool:
        return any(
            each.record is None or base not in (each.record.base, self._watched.judged.get(each.run.id))
            for each in self._waiting
        )

    def _judge(self) -> None:
        """Compare the head of the base branch with what each run saw there."""
        connection = self._watched.connection
        vaults: dict[str, VaultConnection] = {}
        with clone(connection) as base:
            for each in list(self._waiting):
                name = each.request.vault
                if name not in vaults:
                    vaults[name] = connect.vault_connection(each.request)
                if self._watched.judged.get(each.run.id) != base.base_commit:
                    why = _why_of_base(each, base, connection.layout, vaults[name])
                    self._wake({each.run.id: why})
                    if not why:
                        self._watched.judged[each.run.id] = base.base_commit


def _why_of_base(waiting: Waiting, base: GitOpsClone, layout: Layout, vault: VaultConnection) -> str:
    request, record = waiting.request, waiting.record
    if record is None:
        return "it left no record that this version can read"
    if record.base == base.base_commit:
        return ""
    try:
        edits = wanted_edits(base.tree, request, layout, store_settings(vault, record.served_versions))
    except EnablementError as error:
        # The run says so itself; the others are not to wait for it.
        return f"its change cannot be worked out any more at {base.base_commit[:12]}: {error.subject}"
    lacking = unmet(base.tree, record.wanted)
    landed = not edits and not lacking
    return record.why_of_base(base.base_commit, fingerprint(edits, lacking), landed=landed)


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
