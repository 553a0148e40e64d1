"""The fields that we read of GitHub's answers, and what we make of them.

Names and types are those of GitHub's REST API description; everything else in an answer is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from runbook.documents import field
from runbook.errors import UnexpectedAnswer

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class CallsLeft:
    """Of a token's calls in the present hour: how many are left, of how many."""

    left: int
    limit: int


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


def _at(*path: str) -> Any:
    """A field that stands deeper in an answer."""
    return Field(validation_alias=AliasPath(path[0], *path[1:]))


class PullRequestInList(_Answer):
    """What a list of pull requests tells of each."""

    number: int
    # The label, owner:branch, still tells the owner when the account is gone.
    head_owner: str = Field(
        validation_alias=AliasChoices(AliasPath("head", "user", "login"), AliasPath("head", "label"))
    )
    head_branch: str = _at("head", "ref")
    head_sha: str = _at("head", "sha")
    base_branch: str = _at("base", "ref")
    state: Literal["open", "closed", "merged"]

    @field_validator("head_owner")
    @classmethod
    def _without_branch(cls, value: str) -> str:
        return value.partition(":")[0]


class PullRequest(PullRequestInList):
    """A pull request as it was when GitHub was asked.

    Attributes:
        url: its page.
        head_sha: the commit that is proposed now; a push to the branch moves it.
        base_sha: head of the base branch when it was opened.
        merge_commit_sha: what was merged; None unless ``state`` is ``"merged"`` (GitHub shows a commit here
            for open ones too, by which it tries whether they merge).
        mergeable: without a conflict; None while GitHub has not found out, and when it is not open.
        closed_by: who closed it without a merge, where GitHub tells: in its answer about the issue.
    """

    url: str = _at("html_url")
    base_sha: str = _at("base", "sha")
    merge_commit_sha: str | None
    merged_by: str | None = Field(None, validation_alias=AliasPath("merged_by", "login"))
    merged_at: datetime | None
    closed_by: str | None = None
    closed_at: datetime | None
    mergeable: bool | None
    body: str

    @model_validator(mode="before")
    @classmethod
    def _read(cls, answer: Any) -> Any:
        if not isinstance(answer, Mapping):
            return answer
        merged, is_open = answer.get("merged_at") is not None, answer.get("state") == "open"
        return {
            **answer,
            "state": "merged" if merged else answer.get("state"),
            "merge_commit_sha": answer.get("merge_commit_sha") if merged else None,
            "mergeable": answer.get("mergeable") if is_open else None,
            "closed_by": None,
            "body": answer.get("body") or "",
        }


class RepositoryAccess(_Answer):
    """A repository and what GitHub says we may do with it.

    ``can_push`` is the right of the token's *owner*: of a fine-grained token GitHub does not tell here what
    it was narrowed to, and of an App it says false whatever the App may do.
    """

    full_name: str
    default_branch: str
    can_push: bool = Field(False, validation_alias=AliasPath("permissions", "push"))
    archived: bool
    clone_url: str
    fork: bool
    parent: str = Field("", validation_alias=AliasPath("parent", "full_name"))
    source: str = Field("", validation_alias=AliasPath("source", "full_name"))

    def is_fork_of(self, full_name: str) -> bool:
        """Whether it was forked from that repository, or from a fork of it."""
        return self.fork and full_name.lower() in {self.parent.lower(), self.source.lower()}


class Commit(_Answer):
    """A commit of a branch. ``author`` is the account where GitHub knows it, else the name in the commit."""

    sha: str
    author: str = Field(
        validation_alias=AliasChoices(AliasPath("author", "login"), AliasPath("commit", "author", "name"))
    )
    at: datetime = _at("commit", "committer", "date")


class Comment(_Answer):
    """A comment on a pull request; without an author where the account is gone. ``kind`` may be ``Bot``."""

    body: str | None
    author: str | None = Field(None, validation_alias=AliasPath("user", "login"))
    kind: str | None = Field(None, validation_alias=AliasPath("user", "type"))


class Issue(_Answer):
    """What the answer about an issue tells of its end: who closed it."""

    closed_by: str | None = Field(None, validation_alias=AliasPath("closed_by", "login"))


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
        raise _without(fields, subject) from None


def text_at(answer: object, subject: str, *path: str) -> str:
    """The one text that we read of an answer, below these keys.

    Raises:
        UnexpectedAnswer: it is not there.
    """
    found = field(answer, *path)
    if isinstance(found, str):
        return found
    raise _without(".".join(path), subject)


def _without(fields: str, subject: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        "GitHub",
        subject,
        f"an answer without a usable {fields or 'body'}",
        "Check that api_url of the GitOpsRepository is GitHub's REST API.",
    )
