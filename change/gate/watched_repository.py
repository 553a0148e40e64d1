"""One look at one repository, for all runs that wait for its base branch or a pull request of it.

What costs most comes last: first the clock, then two requests to GitHub for all runs, and a clone only where
the base branch is at a commit that some run has not judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID

from change import connect
from change.execution import cloned
from change.gate.waking import AtGate, Waker
from connections import GitOpsRepository, VaultConnection
from runbook.errors import EnablementError
from runbook.gitops import fingerprint, unmet
from systems.github import CallsLeft
from systems.gitops import GitOpsClone


class Watched:
    """A repository, and what is kept of it between two looks."""

    def __init__(self, connection: GitOpsRepository) -> None:
        self.connection = connection
        self._closing = ExitStack()
        self._github = self._closing.enter_context(connection.github())
        self._judged: dict[UUID, str] = {}
        """Base commit at which a run was found to have nothing to look at."""
        self._not_before = 0.0
        """When GitHub may be asked again, in seconds of `time.monotonic`."""

    @property
    def calls_left(self) -> CallsLeft | None:
        """Of the connection's token, as GitHub said last."""
        return self._github.calls_left

    def close(self) -> None:
        """Close the connections."""
        self._closing.close()

    def look(self, waiting: Sequence[AtGate], waker: Waker, is_wanted_elsewhere: Callable[[], bool]) -> bool:
        """Wake whom it concerns; returns whether the look came to its end.

        Raises:
            EnablementError: something could not be read.
        """
        now = datetime.now(UTC)
        waiting = waker.wake_where(waiting, lambda each: each.record.why_of_time(now) if each.record else "")
        if self._not_before > time.monotonic():
            return True
        # Where GitHub's API does not answer, nobody is woken by what the Git remote says: a run asks that API
        # before anything else, and would fail.
        try:
            heads = self._github.open_heads(self.connection.base_branch)
            waiting = waker.wake_where(
                waiting, lambda each: each.record.why_of_pull_requests(heads) if each.record else ""
            )
            base = self._github.base_commit(self.connection.base_branch)
            if all(self._is_judged(each, base) for each in waiting):
                return True
            return self._judge(waiting, waker, is_wanted_elsewhere)
        except EnablementError as error:
            if error.retry_after:
                self._not_before = time.monotonic() + error.retry_after
            raise

    def _judge(
        self, waiting: Sequence[AtGate], waker: Waker, is_wanted_elsewhere: Callable[[], bool]
    ) -> bool:
        """Compare the head of the base branch with what each run saw there; returns whether all were."""
        vaults: dict[str, VaultConnection] = {}
        with cloned(self.connection, anew=True) as base:
            # Whose change has landed shall not wait until it is known what the others lack, which is slow.
            for each in waker.wake_where(waiting, lambda each: _landed(each, base)):
                if self._is_judged(each, base.base_commit):
                    continue
                if is_wanted_elsewhere():
                    return False
                if why := _why_of_base(each, base, self.connection, vaults):
                    waker.wake(each, why)
                else:
                    self._judged[each.run.id] = base.base_commit
        return True

    def _is_judged(self, waiting: AtGate, base: str) -> bool:
        record = waiting.record
        return record is not None and base in (record.base, self._judged.get(waiting.run.id))


def _landed(waiting: AtGate, base: GitOpsClone) -> str:
    """Whether all that a run has proposed is there; it looks itself whether anything else lacks."""
    record = waiting.record
    if not record or record.base == base.base_commit or not record.wanted or unmet(base.tree, record.wanted):
        return ""
    return record.why_of_base(base.base_commit, "", landed=True)


def _why_of_base(
    waiting: AtGate, base: GitOpsClone, connection: GitOpsRepository, vaults: dict[str, VaultConnection]
) -> str:
    asked, record = waiting.asked, waiting.record
    if record is None:
        return "it has no record that this version can read"
    try:
        if asked.vault not in vaults:
            vaults[asked.vault] = connect.vault_connection(asked)
        vault = vaults[asked.vault]
        edits = waiting.runbook.missing(base.tree, asked, connection, vault, record.served_versions)
        lacking = unmet(base.tree, record.wanted)
    except EnablementError as error:
        # The run says so itself; the others are not to wait for it.
        return f"its change no longer fits the base branch at {base.base_commit[:12]}: {error.subject}"
    landed = not edits and not lacking
    return record.why_of_base(base.base_commit, fingerprint(edits, lacking), landed=landed)
