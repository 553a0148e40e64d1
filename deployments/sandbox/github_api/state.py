"""What the stand-in remembers besides Git: repositories, pull requests, comments.

Kept in one file in the state folder, so that a restarted stand-in goes on where it stopped. Times have
microseconds in here, for sorting; GitHub shows whole seconds.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class Repository(BaseModel):
    """A repository. ``ready`` turns true when its Git data is there: a fork's comes a little later."""

    id: int
    owner: str
    name: str
    default_branch: str
    parent: str | None = None
    ready: bool = True
    archived: bool = False
    delete_branch_on_merge: bool = False
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)
    pushed_at: datetime = Field(default_factory=now)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


class PullRequest(BaseModel):
    """A pull request. ``repository`` and ``head_repository`` are full names."""

    id: int
    number: int
    repository: str
    base_branch: str
    base_sha: str
    head_repository: str
    head_branch: str
    head_sha: str
    title: str
    body: str | None
    author: str
    draft: bool = False
    maintainer_can_modify: bool = False
    state: Literal["open", "closed"] = "open"
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)
    closed_at: datetime | None = None
    closed_by: str | None = None
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_commit_sha: str | None = None

    @property
    def head_owner(self) -> str:
        """The owner of the repository that the proposed branch is in."""
        return self.head_repository.split("/")[0]


class Comment(BaseModel):
    """A comment on a pull request."""

    id: int
    repository: str
    number: int
    author: str
    body: str
    created_at: datetime = Field(default_factory=now)


class _Content(BaseModel):
    last_id: int = 1000
    repositories: list[Repository] = []
    pull_requests: list[PullRequest] = []
    comments: list[Comment] = []


class State:
    """All that is remembered. Hold ``lock`` while looking and changing; call `save` after a change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = threading.RLock()
        self.started = now()
        text = path.read_text("utf-8") if path.exists() else "{}"
        self._content = _Content.model_validate_json(text)

    def save(self) -> None:
        """Write everything, in one step: a crash leaves the old or the new file."""
        with self.lock:
            draft = self._path.with_suffix(".new")
            draft.write_text(self._content.model_dump_json(indent=1), "utf-8")
            draft.replace(self._path)

    def forget(self) -> None:
        """Start again with nothing; ids are not given out twice."""
        with self.lock:
            self._content = _Content(last_id=self._content.last_id)
            self.save()

    def next_id(self) -> int:
        """A number that nothing else has."""
        with self.lock:
            self._content.last_id += 1
            return self._content.last_id

    @property
    def repositories(self) -> list[Repository]:
        """All repositories."""
        return self._content.repositories

    def repository(self, full_name: str) -> Repository | None:
        """A repository by ``owner/name``; capitals do not count, as on GitHub."""
        wanted = full_name.lower()
        return next((each for each in self.repositories if each.full_name.lower() == wanted), None)

    def forks_of(self, full_name: str) -> list[Repository]:
        """The forks of a repository, newest first."""
        return [each for each in reversed(self.repositories) if each.parent == full_name]

    def pull_requests(self, full_name: str) -> list[PullRequest]:
        """The pull requests into a repository, oldest first."""
        return [each for each in self._content.pull_requests if each.repository == full_name]

    def all_pull_requests(self) -> list[PullRequest]:
        """The pull requests of all repositories."""
        return self._content.pull_requests

    def pull_request(self, full_name: str, number: int) -> PullRequest | None:
        """One pull request."""
        return next((each for each in self.pull_requests(full_name) if each.number == number), None)

    def comments(self, full_name: str, number: int) -> list[Comment]:
        """The comments on a pull request, oldest first."""
        return [
            each for each in self._content.comments if (each.repository, each.number) == (full_name, number)
        ]

    def add(self, thing: Repository | PullRequest | Comment) -> None:
        """Remember something new."""
        match thing:
            case Repository():
                self._content.repositories.append(thing)
            case PullRequest():
                self._content.pull_requests.append(thing)
            case Comment():
                self._content.comments.append(thing)
        self.save()
