"""One look at one repository, for all runs that wait for its base branch or a pull request of it.

What costs most comes last: first the clock, then two requests to GitHub for all runs, and a clone only where
the base branch is at a commit that some run has not judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from connections import GitOpsRepository, VaultConnection
from runbook.errors import EnablementError, TransientError
from runbook.gitops import fingerprint, unmet, wanted_edits
from runbook.layout import Layout
from systems.github_watched import WatchedRepository
from systems.gitops import GitOpsClone
from tasks import connect
from tasks.repository import clone, store_settings
from tasks.waking import Waiting, Waker


@dataclass(slots=True)
class Watched:
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


class Look:
    """One look at one repository, for all runs that wait for it."""

    def __init__(
        self, watched: Watched, waker: Waker, waiting: list[Waiting], is_wanted_elsewhere: Callable[[], bool]
    ) -> None:
        self._watched = watched
        self._waker = waker
        self._waiting = waiting
        self._is_wanted_elsewhere = is_wanted_elsewhere
        self.is_unfinished = False

    def wake(self) -> list[EnablementError]:
        """Wake whom it concerns; returns what could not be read."""
        problems: list[EnablementError] = []
        now = datetime.now(UTC)
        self._wake({each.run.id: each.record.why_of_time(now) for each in self._waiting if each.record})
        if self._watched.not_before > time.monotonic():
            return problems
        # Where GitHub's API does not answer, nobody is woken by what the Git remote says: a run asks that API
        # before anything else, and would fail.
        try:
            heads = self._watched.github.open_heads()
            self._wake(
                {
                    each.run.id: each.record.why_of_pull_requests(heads)
                    for each in self._waiting
                    if each.record
                }
            )
            if self._unjudged(self._watched.github.base_commit()):
                self._judge()
        except EnablementError as error:
            problems.append(error)
            if isinstance(error, TransientError) and error.retry_after:
                self._watched.not_before = time.monotonic() + error.retry_after
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
                if self._watched.judged.get(each.run.id) != base.base_commit:
                    if self._is_wanted_elsewhere():
                        self.is_unfinished = True
                        return
                    why = _why_of_base(each, base, connection.layout, vaults)
                    self._wake({each.run.id: why})
                    if not why:
                        self._watched.judged[each.run.id] = base.base_commit


def _why_of_base(
    waiting: Waiting, base: GitOpsClone, layout: Layout, vaults: dict[str, VaultConnection]
) -> str:
    request, record = waiting.request, waiting.record
    if record is None:
        return "it left no record that this version can read"
    if record.base == base.base_commit:
        return ""
    try:
        if request.vault not in vaults:
            vaults[request.vault] = connect.vault_connection(request)
        settings = store_settings(vaults[request.vault], record.served_versions)
        edits = wanted_edits(base.tree, request, layout, settings)
    except EnablementError as error:
        # The run says so itself; the others are not to wait for it.
        return f"its change cannot be worked out any more at {base.base_commit[:12]}: {error.subject}"
    lacking = unmet(base.tree, record.wanted)
    landed = not edits and not lacking
    return record.why_of_base(base.base_commit, fingerprint(edits, lacking), landed=landed)
