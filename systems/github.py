"""GitHub as the runbook needs it: who may do what, one pull request a cluster, and a fork to propose from.

On PyGithub, for authentication, addresses and lists in pages. What GitHub answers is checked against the few
fields that we read before anything is believed; of a pull request, "merged" means that GitHub merged it, and
nothing about what is on the base branch now.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from github.GithubException import GithubException
from github.Issue import Issue
from pydantic import SecretStr

from runbook.errors import AccessDenied, Busy, Conflict, InvalidInput, PrerequisiteMissing
from systems.github_answers import (
    Closed,
    Commit,
    CommitAnswer,
    PullRequest,
    PullRequestAnswer,
    PullRequestInList,
    RepositoryAccess,
    RepositoryAnswer,
    User,
    parsed,
    token_end,
)
from systems.github_http import BoundedRequester
from systems.github_refusals import refusal, translated, words

__all__ = ["Commit", "GitHub", "PullRequest", "RepositoryAccess"]

_POLL_SECONDS = 0.5
_DUPLICATE = "pull request already exists"
_NAME = re.compile(r"[\w-]+/[\w.-]+", re.ASCII)


class GitHub:
    """One repository on GitHub, as the owner of one token. A context manager: leaving it closes connections.

    Every method raises the errors of `systems.github_refusals.translated`. Nothing is retried in here, and
    nothing waits but `ensure_fork`.

    Args:
        repository: ``owner/name``.
        token: personal access token or an App's installation token.
        api_url: where the REST API begins; ``https://<server>/api/v3`` of a GitHub Enterprise Server.
        ca_pem: the only CA that is believed, PEM; None for the machine's store.
        timeout: seconds for connecting and between two bytes of an answer.

    Raises:
        InvalidInput: a name, an address, a CA or a token that cannot be one.
    """

    def __init__(
        self,
        repository: str,
        token: SecretStr,
        api_url: str = "https://api.github.com",
        ca_pem: str | None = None,
        timeout: float = 15,
    ) -> None:
        if not _NAME.fullmatch(repository):
            raise InvalidInput(
                "input", f"repository={repository!r}", "is not owner/name", "Give it as 'operate-first/apps'."
            )
        self.repository = repository
        self._requester = BoundedRequester(api_url, token, ca_pem, timeout)
        self._token_ends_at: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._requester.close()

    @property
    def token_ends_at(self) -> datetime | None:
        """When the token ends, as the last answers said; None if they did not, as for an App's token."""
        return self._token_ends_at

    def access(self) -> RepositoryAccess:
        """The repository, and what we may do with it."""
        return self._about("repository", self.repository).access()

    def login(self) -> str | None:
        """Whom the token belongs to; None for an App's token, which belongs to nobody."""
        try:
            with translated("owner of the token", self.repository):
                found = self._send("GET", "/user")
        except AccessDenied as error:
            if "by integration" in error.answer:
                return None
            raise
        return parsed(User, found, "owner of the token").login

    def find_pull_request(self, head_owner: str, branch: str, base: str) -> PullRequest | None:
        """The pull request of a branch: an open one, else the closed one that was changed last.

        Args:
            head_owner: owner of the repository that the branch is in.
            branch: the proposed branch.
            base: the branch that it goes to.
        """
        subject = f"pull requests from {head_owner}:{branch}"
        asked = {"head": f"{head_owner}:{branch}", "base": base, "sort": "updated", "direction": "desc"}
        for state in ("open", "closed"):
            with translated(subject, self.repository):
                listed = self._send("GET", f"{self._path}/pulls", parameters={**asked, "state": state})
            for each in listed or ():
                found = parsed(PullRequestInList, each, subject)
                # GitHub leaves a filter out that it does not understand, instead of refusing it.
                if (found.head.ref, found.base.ref) == (branch, base) and _same(found.head.owner, head_owner):
                    return self.pull_request(found.number)
        return None

    def open_pull_request(
        self, *, title: str, body: str, head_owner: str, branch: str, base: str
    ) -> PullRequest:
        """Open a pull request, or find the open one that is there already for this branch.

        Raises:
            PrerequisiteMissing: GitHub does not know the branch, or the fork.
            Conflict: the branch holds nothing that the base branch lacks.
        """
        subject = f"pull request from {head_owner}:{branch}"
        head = f"{head_owner}:{branch}"
        wanted = {"title": title, "body": body, "head": head, "base": base}
        with translated(subject, self.repository):
            try:
                return self._pull_request(self._send("POST", f"{self._path}/pulls", body=wanted))
            except GithubException as error:
                if error.status != 422:
                    raise
                refused, said = refusal(error, subject, self.repository), words(error)
        if _DUPLICATE in said:
            found = self.find_pull_request(head_owner, branch, base)
            if found is not None and found.state == "open":
                return found
        if "No commits between" in said:
            remedy = "Check whether the change has landed already; then there is nothing to propose."
            raise Conflict("GitHub", refused.subject, said, remedy)
        if re.search(r"\b(head|base) invalid\b", said):
            remedy = f"Check that both branches are there: {head} and {base}."
            raise PrerequisiteMissing("GitHub", refused.subject, said, remedy)
        raise refused

    def update_pull_request(
        self, number: int, *, title: str | None = None, body: str | None = None
    ) -> PullRequest:
        """Set title and body; None leaves one as it is, and what is so already is not written."""
        found = self.pull_request(number)
        changed: dict[str, str] = {}
        if title is not None and title != found.title:
            changed["title"] = title
        # GitHub's own editor turns line ends into CR LF: that is no difference.
        if body is not None and body.splitlines() != found.body.splitlines():
            changed["body"] = body
        if not changed:
            return found
        with translated(f"pull request #{number}", self.repository):
            return self._pull_request(self._send("PATCH", f"{self._path}/pulls/{number}", body=changed))

    def pull_request(self, number: int) -> PullRequest:
        """One pull request."""
        with translated(f"pull request #{number}", self.repository):
            return self._pull_request(self._send("GET", f"{self._path}/pulls/{number}"))

    def last_commit_of(self, path: str, branch: str) -> Commit | None:
        """The newest commit of a branch that touched a file; None if none did."""
        subject = f"commits of {path}"
        with translated(subject, self.repository):
            asked = {"sha": branch, "path": path, "per_page": 1}
            found = self._send("GET", f"{self._path}/commits", parameters=asked)
        return parsed(CommitAnswer, found[0], subject).commit_of() if found else None

    def read_if_changed(
        self, path: str, parameters: Mapping[str, Any], etag: str | None, subject: str
    ) -> tuple[str | None, Any, bool]:
        """Read something below the repository, unless it still is what ``etag`` stands for.

        Returns:
            The answer's ETag, the answer (None: unchanged), and whether it is the last page of a list.
        """
        headers = {"If-None-Match": etag} if etag else {}
        with translated(subject, self.repository):
            received, answer = self._requester.requestJsonAndCheck(
                "GET", f"{self._path}{path}", parameters=dict(parameters), headers=headers
            )
        found = {name.lower(): str(value) for name, value in received.items()}
        return found.get("etag"), answer, 'rel="next"' not in found.get("link", "")

    def comment_once(self, number: int, marker: str, body: str) -> bool:
        """Comment on a pull request, unless a comment with this marker is there.

        Args:
            number: of the pull request.
            marker: names the occasion; it stands in the comment where readers do not see it.
            body: Markdown.

        Returns:
            Whether a comment was made.
        """
        if not re.fullmatch(r"\w+([ .:/-]\w+)*", marker):
            raise InvalidInput("input", f"marker={marker!r}", "cannot be hidden", "Take words and numbers.")
        hidden = f"<!-- {marker} -->"
        with translated(f"comments on pull request #{number}", self.repository):
            url = f"{self._requester.base_url}{self._path}/issues/{number}"
            issue = Issue(self._requester, url=url)
            if any(hidden in (comment.body or "") for comment in issue.get_comments()):
                return False
            issue.create_comment(f"{body}\n\n{hidden}")
        return True

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
            fork = self._about("fork", f"{owner}/{self.repository.split('/')[1]}")
        except PrerequisiteMissing:
            fork = self._make_fork(owner)
        if not fork.is_fork_of(self.repository):
            raise Conflict(
                "GitHub",
                f"fork {fork.full_name}",
                f"is there, but is no fork of {self.repository}",
                "Rename that repository, or name another owner for the fork.",
            )
        deadline = time.monotonic() + wait_seconds
        while not self._is_filled(fork):
            if time.monotonic() >= deadline:
                raise Busy(
                    "GitHub",
                    f"fork {fork.full_name}",
                    f"has no branch {fork.default_branch} yet, {wait_seconds:g} s after it was asked for",
                    "It is tried again by itself; GitHub may take minutes to fill a fork.",
                )
            time.sleep(_POLL_SECONDS)
        return fork.access()

    def _make_fork(self, owner: str) -> RepositoryAnswer:
        user = self.login()
        where = {} if user is not None and _same(user, owner) else {"organization": owner}
        subject = f"fork for {owner}"
        with translated(subject, self.repository):
            return parsed(RepositoryAnswer, self._send("POST", f"{self._path}/forks", body=where), subject)

    def _is_filled(self, fork: RepositoryAnswer) -> bool:
        try:
            with translated(f"branch {fork.default_branch}", fork.full_name):
                self._send("GET", f"/repos/{fork.full_name}/branches/{fork.default_branch}")
        except (PrerequisiteMissing, Conflict):
            # 404 and 409 "Git Repository is empty", until the data has been copied.
            return False
        return True

    @property
    def _path(self) -> str:
        return f"/repos/{self.repository}"

    def _send(self, verb: str, path: str, parameters: dict[str, Any] | None = None, body: Any = None) -> Any:
        """What GitHub answers, decoded."""
        headers, answer = self._requester.requestJsonAndCheck(verb, path, parameters=parameters, input=body)
        self._token_ends_at = token_end(headers) or self._token_ends_at
        return answer

    def _about(self, what: str, full_name: str) -> RepositoryAnswer:
        with translated(what, full_name):
            return parsed(RepositoryAnswer, self._send("GET", f"/repos/{full_name}"), what)

    def _pull_request(self, answer: object) -> PullRequest:
        """A pull request out of GitHub's full answer about it."""
        found = parsed(PullRequestAnswer, answer, "pull request")
        closed_by = None
        if found.state == "closed" and found.merged_at is None:
            issue = self._send("GET", f"{self._path}/issues/{found.number}")
            closed_by = parsed(Closed, issue, f"pull request #{found.number}").closed_by
        return found.pull_request(closed_by)


def _same(one: str, other: str) -> bool:
    """Whether two names mean one account: capitals do not count on GitHub."""
    return one.lower() == other.lower()
