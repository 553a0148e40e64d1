"""The fields that we read of GitHub's answers, and what we make of them.

Names and types are those of GitHub's REST API description; everything else in an answer is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from runbook.errors import UnexpectedAnswer

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as it was when GitHub was asked.

    Attributes:
        url: its page.
        head_sha: the commit that is proposed now; a push to the branch moves it.
        merge_commit_sha: what was merged; None unless ``state`` is ``"merged"`` (GitHub shows a commit here
            for open ones too, by which it tries whether they merge).
        mergeable: without a conflict; None while GitHub has not found out, and when it is not open.
        closed_by: who closed it without a merge, where GitHub tells.
    """

    number: int
    url: str
    title: str
    state: Literal["open", "closed", "merged"]
    head_owner: str
    head_branch: str
    head_sha: str
    base_branch: str
    merge_commit_sha: str | None
    merged_by: str | None
    merged_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    mergeable: bool | None
    body: str


@dataclass(frozen=True, slots=True)
class RepositoryAccess:
    """A repository and what GitHub says we may do with it.

    ``can_push`` is the right of the token's *owner*: of a fine-grained token GitHub does not tell here what
    it was narrowed to, and of an App it says false whatever the App may do.
    """

    full_name: str
    default_branch: str
    can_push: bool
    archived: bool
    clone_url: str
    html_url: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a branch. ``author`` is the account where GitHub knows it, else the name in the commit."""

    sha: str
    author: str
    at: datetime


class User(BaseModel):
    """An account."""

    login: str


class Side(BaseModel):
    """Head or base of a pull request."""

    label: str
    ref: str
    sha: str
    user: User | None

    @property
    def owner(self) -> str:
        """Whose branch it is; the label still tells when the account is gone."""
        return self.user.login if self.user else self.label.partition(":")[0]


class PullRequestInList(BaseModel):
    """What a list of pull requests tells of each."""

    number: int
    head: Side
    base: Side


class PullRequestAnswer(PullRequestInList):
    """The answer about one pull request."""

    html_url: str
    title: str
    state: Literal["open", "closed"]
    body: str | None
    merged_at: datetime | None
    closed_at: datetime | None
    merge_commit_sha: str | None
    merged_by: User | None
    mergeable: bool | None

    def pull_request(self, closed_by: User | None) -> PullRequest:
        """What we make of it. Who closed it is in the answer about the issue that it also is."""
        merged = self.merged_at is not None
        return PullRequest(
            number=self.number,
            url=self.html_url,
            title=self.title,
            state="merged" if merged else self.state,
            head_owner=self.head.owner,
            head_branch=self.head.ref,
            head_sha=self.head.sha,
            base_branch=self.base.ref,
            merge_commit_sha=self.merge_commit_sha if merged else None,
            merged_by=self.merged_by.login if self.merged_by else None,
            merged_at=self.merged_at,
            closed_by=closed_by.login if closed_by else None,
            closed_at=self.closed_at,
            mergeable=self.mergeable if self.state == "open" else None,
            body=self.body or "",
        )


class Closed(BaseModel):
    """What the answer about an issue tells of its end."""

    closed_by: User | None = None


class Signature(BaseModel):
    """Who made a commit, as Git has it."""

    name: str
    date: datetime


class GitCommitAnswer(BaseModel):
    """What Git knows of a commit."""

    author: Signature
    committer: Signature


class CommitAnswer(BaseModel):
    """The answer about a commit."""

    sha: str
    commit: GitCommitAnswer
    author: User | None

    def commit_of(self) -> Commit:
        """What we make of it."""
        author = self.author.login if self.author else self.commit.author.name
        return Commit(self.sha, author, self.commit.committer.date)


class Named(BaseModel):
    """Another repository that an answer refers to."""

    full_name: str


class Permissions(BaseModel):
    """What the token's owner may do; left out for some tokens."""

    push: bool = False


class RepositoryAnswer(BaseModel):
    """The answer about a repository."""

    full_name: str
    default_branch: str
    archived: bool
    fork: bool
    clone_url: str
    html_url: str
    permissions: Permissions = Permissions()
    parent: Named | None = None
    source: Named | None = None

    def is_fork_of(self, full_name: str) -> bool:
        """Whether it was forked from that repository, or from a fork of it."""
        origins = {each.full_name.lower() for each in (self.parent, self.source) if each}
        return self.fork and full_name.lower() in origins

    def access(self) -> RepositoryAccess:
        """What we make of it."""
        return RepositoryAccess(
            full_name=self.full_name,
            default_branch=self.default_branch,
            can_push=self.permissions.push,
            archived=self.archived,
            clone_url=self.clone_url,
            html_url=self.html_url,
        )


def parsed(shape: type[Shape], answer: object, subject: str) -> Shape:
    """The fields that we read of an answer.

    Raises:
        UnexpectedAnswer: one is missing, or of another type than GitHub documents.
    """
    try:
        return shape.model_validate(answer)
    except ValidationError as error:
        # pydantic quotes what it was given; the names of the fields are enough.
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors(include_input=False))
        raise UnexpectedAnswer(
            "GitHub",
            subject,
            f"an answer without a usable {fields or 'body'}",
            "Check that api_url of the GitOps connection is GitHub's REST API.",
        ) from None


def token_end(headers: Mapping[str, Any]) -> datetime | None:
    """When the token of a request ends, as the answer says: ``2026-12-01 10:00:00 UTC`` (or ``+0100``)."""
    said = str(headers.get("github-authentication-token-expiration") or "").replace("UTC", "+0000")
    try:
        return datetime.strptime(said, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
