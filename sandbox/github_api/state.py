"""What the stand-in remembers besides Git: repositories, pull requests, comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(eq=False)
class Repository:
    """A repository, with the pull requests into it, the oldest first. A fork has a ``parent``."""

    owner: str
    name: str
    default_branch: str = "main"
    parent: Repository | None = None
    pulls: list[PullRequest] = field(default_factory=list, repr=False)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(eq=False)
class PullRequest:
    """A pull request.

    Attributes:
        base_sha: where the base branch was when the head last moved.
        closed_by: who closed or merged it.
        merge_commit_sha: the base branch's commit that it was merged as; None unless it was.
    """

    number: int
    base: Repository
    base_branch: str
    base_sha: str
    head: Repository
    head_branch: str
    head_sha: str
    title: str
    body: str | None
    author: str
    created_at: datetime = field(default_factory=now)
    closed_at: datetime | None = None
    closed_by: str | None = None
    merge_commit_sha: str | None = None
    comments: list[Comment] = field(default_factory=list)

    @property
    def state(self) -> str:
        """GitHub's word for it: ``closed``, of a merged one too, or ``open``."""
        return "closed" if self.closed_at else "open"


@dataclass(frozen=True)
class Comment:
    """A comment on a pull request."""

    author: str
    body: str
    created_at: datetime = field(default_factory=now)
