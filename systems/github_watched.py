"""A repository that is asked again and again: what is proposed, and where its base branch is.

Two questions serve everybody who waits for the repository: the list of open pull requests, a request a
hundred, and the head of the base branch. Each is asked with the ETag of its last answer; where nothing
changed GitHub answers 304, which does not count against the rate limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from systems.github import GitHub
from systems.github_answers import PullRequestInList, parsed

_PER_PAGE = 100
_MOST_PAGES = 100
"""Ten thousand open pull requests; a list that goes on for ever ends here."""


class _Commit(BaseModel):
    sha: str


class _Reference(BaseModel):
    object: _Commit


@dataclass(frozen=True, slots=True)
class _Known:
    """The last answer to a question."""

    etag: str | None
    answer: Any
    is_last: bool


class WatchedRepository:
    """What changes on GitHub while runs wait. Keeps the last answers; not for two threads at once.

    Its methods raise the errors of `systems.github_refusals.translated`.
    """

    def __init__(self, github: GitHub, base_branch: str) -> None:
        self._github = github
        self._base_branch = base_branch
        self._known: dict[str, _Known] = {}

    def open_heads(self) -> dict[int, str]:
        """The commit that each open pull request to the base branch proposes, by number.

        One that moves to another page while the pages are read may be missing: that is a reason to look
        closer, no proof that it was closed.
        """
        heads: dict[int, str] = {}
        for page in range(1, _MOST_PAGES + 1):
            known = self._ask(
                "/pulls",
                {
                    "state": "open",
                    "base": self._base_branch,
                    "sort": "created",
                    "direction": "asc",
                    "per_page": _PER_PAGE,
                    "page": page,
                },
                "open pull requests",
            )
            for each in known.answer or ():
                found = parsed(PullRequestInList, each, "open pull requests")
                # GitHub leaves a filter out that it does not understand, instead of refusing it.
                if found.base.ref == self._base_branch:
                    heads[found.number] = found.head.sha
            if known.is_last:
                break
        return heads

    def base_commit(self) -> str:
        """The commit at the head of the base branch."""
        subject = f"branch {self._base_branch}"
        known = self._ask(f"/git/ref/heads/{self._base_branch}", {}, subject)
        return parsed(_Reference, known.answer, subject).object.sha

    def _ask(self, path: str, parameters: Mapping[str, Any], subject: str) -> _Known:
        key = f"{path}?{sorted(parameters.items())}"
        known = self._known.get(key)
        etag, answer, is_last = self._github.read_if_changed(
            path, parameters, known.etag if known else None, subject
        )
        if answer is not None or known is None:
            known = self._known[key] = _Known(etag, answer, is_last)
        return known
