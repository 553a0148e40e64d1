"""What a delivery may say, in GitHub's documented shape, and whether it concerns a waiting run.

Only what decides that is read; everything else may be as it likes. A delivery is a hint: it says where to
look, and GitHub and the base branch say what is there.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from deployments.merge_service.repositories import Repositories
from deployments.merge_service.schedule import EVERYTHING, Target

BRANCH_PREFIX = "enable-vault/"
"""Of the branches that runs propose from: `runbook.names.Cluster.branch`."""

_BRANCH_REF = "refs/heads/"
# `opened` is the run's own doing. `edited` also tells of another base branch.
_ACTIONS = frozenset({"closed", "reopened", "synchronize", "edited"})

FullName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")]


class MalformedPayloadError(Exception):
    """The body is not what GitHub sends. Says nothing of its content."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class _Repository(_Part):
    full_name: FullName


class _Branch(_Part):
    ref: str


class _PullRequest(_Part):
    number: int
    base: _Branch
    head: _Branch


class _PullRequestDelivery(_Part):
    action: str
    number: int
    pull_request: _PullRequest
    repository: _Repository


class _PushDelivery(_Part):
    ref: str
    before: str
    after: str
    deleted: bool
    repository: _Repository


def what_to_look_at(event: str, body: bytes, known: Repositories | None) -> Target:
    """What to look at because of a delivery.

    Args:
        event: ``pull_request`` or ``push``.
        body: the payload, JSON in UTF-8.
        known: the repositories of the connections; None while they were not read yet.

    Returns:
        Repositories as the connections spell them; nothing if the delivery concerns none of them; everything
        while they are not known, for it may be any.

    Raises:
        MalformedPayloadError: it is not JSON, or not of that event's shape.
    """
    try:
        if event == "push":
            push = _PushDelivery.model_validate_json(body)
            full_name, relevant = push.repository.full_name, _concerns_us(push.ref, known, push)
        else:
            pull = _PullRequestDelivery.model_validate_json(body)
            full_name, relevant = pull.repository.full_name, pull.action in _ACTIONS
    except ValidationError:
        # Its text is about the body; nothing of that goes any further.
        raise MalformedPayloadError from None
    if not relevant:
        return Target()
    return EVERYTHING if known is None else Target(repositories=known.spelled(full_name))


def _concerns_us(ref: str, known: Repositories | None, push: _PushDelivery) -> bool:
    if not ref.startswith(_BRANCH_REF):
        return False  # a tag
    branch = ref.removeprefix(_BRANCH_REF)
    if branch.startswith(BRANCH_PREFIX) or known is None:
        return True
    return known.has_base_branch(push.repository.full_name, branch)
