"""What goes from step to step of a run. In memory only: each execution of a run finds it out anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runbook.application_names import ApplicationNames
from systems.github import PullRequest


@dataclass(frozen=True, slots=True)
class Checked:
    """What preflight has found.

    Attributes:
        plan_sha256: hash of the plan that it published.
        vault_changes: the plan's part on Vault, in markdown.
        served_versions: of the SecretStore on the cluster.
        applications: what ArgoCD calls the Applications to sync.
        signs: whether the commit of the change has to be signed; None where nobody was asked, as nothing was
            to be pushed.
    """

    plan_sha256: str
    vault_changes: str
    served_versions: tuple[str, ...]
    applications: ApplicationNames
    signs: bool | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """The change of a run, as it is proposed now.

    Attributes:
        number: of the pull request; None if none was needed.
        state: of the pull request.
        head: commit that is proposed.
        shared: whether other people's commits are on the branch.
        files: paths that the base branch still lacks.
        complete_at: head of the base branch, if that has everything; else empty.
        wanted: meaning of the change by path, see `runbook.gitops.landing`.
        troubles: what keeps the pull request from being merged as it is, a sentence each.
        text: of the pull request, as anybody may have changed it.
        merged: the pull request, where it is merged: so it stays.
    """

    branch: str
    number: int | None = None
    url: str | None = None
    state: Literal["open", "closed", "merged", "none"] = "none"
    head: str = ""
    shared: bool = False
    files: tuple[str, ...] = ()
    complete_at: str = ""
    wanted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    text: str = ""
    merged: PullRequest | None = None


@dataclass(frozen=True, slots=True)
class Landing:
    """How the change of a run came to the base branch; empty texts where none was needed, or nobody knows.

    Attributes:
        commit: head of the base branch that was looked at.
        by_pull_request: whether the merge of the run's pull request brought it.
        how: for a person, in markdown.
        by: who brought it.
        as_commit: which commit brought it.
        at: when.
    """

    commit: str
    by_pull_request: bool = False
    how: str = ""
    by: str = ""
    as_commit: str = ""
    at: str = ""
