"""What can happen to a branch or a pull request, for those who want to hear of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.sandbox.github_api.state import PullRequest, Repository

RefChanges = Mapping[str, tuple[str | None, str | None]]
"""Branches that moved: commit before and after; None where there was or is no branch."""


@dataclass(frozen=True)
class PullRequestEvent:
    """Something happened to a pull request.

    Attributes:
        action: GitHub's word for it.
        details: what GitHub tells only with this action.
    """

    action: str
    pull: PullRequest
    sender: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PushEvent:
    """A branch moved."""

    repository: Repository
    branch: str
    before: str | None
    after: str | None
    sender: str


Event = PullRequestEvent | PushEvent
