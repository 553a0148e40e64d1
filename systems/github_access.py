"""What our token may do with a repository on GitHub, and the forks of it."""

from __future__ import annotations

import time

from runbook.errors import AccessDenied, Busy, Conflict, PrerequisiteMissing
from systems.github_answers import RepositoryAccess, parsed, text_at
from systems.github_http import GitHubSession

_POLL_SECONDS = 0.5


class AccessAndForks(GitHubSession):
    """A repository and its forks; errors as of `GitHubSession._send`."""

    def access(self) -> RepositoryAccess:
        """The repository, and what we may do with it.

        Raises:
            PrerequisiteMissing: it has another name now.
        """
        found = self._about("repository", self.repository)
        if not same_account(found.full_name, self.repository):
            raise PrerequisiteMissing(
                "GitHub",
                f"repository {self.repository}",
                f"was renamed or moved: it is {found.full_name} now",
                "Put the new name into `repository` of the GitOpsRepository, and its address into `url`.",
            )
        return found

    def login(self) -> str | None:
        """Whom the token belongs to; None for an App's token, which belongs to nobody."""
        subject = "owner of the token"
        try:
            return text_at(self._send("GET", "/user", subject).decoded(), subject, "login")
        except AccessDenied as error:
            if "by integration" in error.answer:
                return None
            raise

    def fork_of(self, owner: str) -> RepositoryAccess:
        """The fork that ``owner`` has of the repository.

        Raises:
            PrerequisiteMissing: there is none that our token may see.
            Conflict: as `ensure_fork`.
        """
        return self._ours(self._about("fork", f"{owner}/{self.repository.split('/')[1]}"))

    def ensure_fork(self, owner: str, wait_seconds: float) -> RepositoryAccess:
        """The fork that ``owner`` has of the repository: made if it is missing, awaited until it is filled.

        Args:
            owner: an organization, or the token's own user.
            wait_seconds: for a new fork's Git data.

        Raises:
            Conflict: the owner has a repository of that name that is no fork of ours.
            Busy: the fork is still empty after ``wait_seconds``.
        """
        try:
            fork = self.fork_of(owner)
        except PrerequisiteMissing:
            fork = self._ours(self._make_fork(owner))
        deadline = time.monotonic() + wait_seconds
        while not self._is_filled(fork):
            if time.monotonic() >= deadline:
                raise Busy(
                    "GitHub",
                    f"fork {fork.full_name}",
                    f"has no branch {fork.default_branch} yet, {wait_seconds:g} s after it was asked for",
                    "It is retried automatically; GitHub may take minutes to fill a fork.",
                )
            time.sleep(_POLL_SECONDS)
        return fork

    def _about(self, what: str, full_name: str) -> RepositoryAccess:
        """A repository, under whatever name it has now."""
        answer = self._send("GET", f"/repos/{full_name}", what, repository=full_name, renamed=True)
        return parsed(RepositoryAccess, answer.decoded(), what)

    def _ours(self, fork: RepositoryAccess) -> RepositoryAccess:
        if fork.is_fork_of(self.repository):
            return fork
        raise Conflict(
            "GitHub",
            f"fork {fork.full_name}",
            f"is not a fork of {self.repository}",
            "Rename that repository, or name another owner for the fork.",
        )

    def _make_fork(self, owner: str) -> RepositoryAccess:
        user = self.login()
        where = {} if user is not None and same_account(user, owner) else {"organization": owner}
        subject = f"fork for {owner}"
        made = self._send("POST", f"{self._path}/forks", subject, body=where)
        return parsed(RepositoryAccess, made.decoded(), subject)

    def _is_filled(self, fork: RepositoryAccess) -> bool:
        path, subject = (
            f"/repos/{fork.full_name}/branches/{fork.default_branch}",
            f"branch {fork.default_branch}",
        )
        try:
            self._send("GET", path, subject, repository=fork.full_name)
        except (PrerequisiteMissing, Conflict):
            # 404 and 409 "Git Repository is empty", until the data has been copied.
            return False
        return True


def same_account(one: str, other: str) -> bool:
    """Whether two names mean one account: capitals do not count on GitHub."""
    return one.lower() == other.lower()
