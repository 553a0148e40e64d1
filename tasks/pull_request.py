"""Step: propose the change of the GitOps repository as a pull request.

One branch a cluster, one commit, one pull request. What is already on the base branch is not proposed
again, and an open pull request is found, not doubled.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from connections import GitOpsRepository
from runbook.errors import Conflict
from runbook.gitops import FileEdit, StoreSettings, Tree, wanted_edits
from runbook.pull_request import words
from runbook.request import EnableRequest
from systems.github import GitHub, PullRequest
from systems.gitops import GitOpsClone
from tasks import connect
from tasks.artifacts import artifact_key
from tasks.repository import clone, store_settings
from tasks.step import look

FORK_WAIT = 60.0
"""Seconds that GitHub gets to fill a new fork; it says "up to five minutes" and takes a few seconds."""


@look("open the pull request")
def open_pull_request(request: EnableRequest, preflight: dict[str, Any]) -> dict[str, Any]:
    """Clone, edit, commit, push, and open or find the pull request.

    Args:
        request: the run's parameters.
        preflight: result of the preflight step: plan hash, the Vault changes in markdown, served versions.

    Returns:
        ``number``, ``url``, ``branch`` and ``files`` of the pull request; ``number`` is None and ``files``
        empty when nothing is left to change and no pull request brought it.

    Raises:
        Conflict: the pull request was closed without a merge, or a person's commits are in the way.
    """
    repository = connect.gitops_repository(request)
    settings = store_settings(connect.vault_connection(request), tuple(preflight["served_versions"]))
    github = repository.github()
    with clone(repository) as base:
        edits = wanted_edits(base.tree, request, repository.layout, settings)
        found = github.find_pull_request(
            repository.fork or repository.owner, request.target.branch, repository.base_branch
        )
        if edits and not _is_decided(found):
            found = _propose(request, repository, github, base, settings, preflight)
    result: dict[str, Any] = {
        "number": found.number if found else None,
        "url": found.url if found else None,
        "branch": request.target.branch,
        "files": [edit.path for edit in edits],
    }
    _publish(request, result)
    return result


def _is_decided(found: PullRequest | None) -> bool:
    """Whether the last pull request was merged or closed during this run.

    Then this run proposes nothing more: merged, it waits for the content to be there (it may have been
    reverted); closed, somebody refused.

    Raises:
        Conflict: closed without a merge during this run.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if found is None or found.state == "open" or run is None or run.created is None:
        return False
    decided_at = found.merged_at or found.closed_at
    if not (str(run.id) in found.body or (decided_at and decided_at > _aware(run.created))):
        return False
    if found.state == "merged":
        return True
    raise Conflict(
        "GitHub",
        f"pull request #{found.number}",
        f"was closed without a merge by {found.closed_by or 'somebody'}"
        f"{f' at {found.closed_at:%Y-%m-%d %H:%M} UTC' if found.closed_at else ''}",
        "If that was meant, there is nothing to do. A new run opens a new pull request; reopening this one "
        f"({found.url}) and retrying this run goes on with it.",
    )


def _aware(moment: datetime) -> datetime:
    # Prefect's own DateTime compares with the standard library's only when both know their zone.
    return datetime.fromisoformat(moment.isoformat())


def _propose(
    request: EnableRequest,
    repository: GitOpsRepository,
    github: GitHub,
    base: GitOpsClone,
    settings: StoreSettings,
    preflight: dict[str, Any],
) -> PullRequest:
    logger = get_run_logger()
    target = request.target

    def missing(tree: Tree) -> tuple[FileEdit, ...]:
        return wanted_edits(tree, request, repository.layout, settings)

    edits = missing(base.tree)
    text = words(
        target,
        [edit.path for edit in edits],
        preflight["vault_changes"],
        preflight["plan_sha256"],
        flow_run.ui_url,
    )
    push_url = github.ensure_fork(repository.fork, FORK_WAIT).clone_url if repository.fork else None
    proposal = base.propose(
        target.branch,
        edits,
        text.commit_message,
        author_name=repository.author_name,
        author_email=repository.author_email,
        push_url=push_url,
        push_token=repository.token if push_url else None,
        remaining=missing,
    )
    logger.info(
        "Branch %s: %s%s",
        proposal.branch,
        "pushed" if proposal.pushed else "as wanted already",
        f"; {proposal.note}" if proposal.note else "",
    )
    return github.open_pull_request(
        title=text.title,
        body=text.body,
        head_owner=repository.fork or repository.owner,
        branch=target.branch,
        base=repository.base_branch,
    )


def _publish(request: EnableRequest, result: dict[str, Any]) -> None:
    logger = get_run_logger()
    if result["url"] is None:
        logger.info("The GitOps repository is as wanted; no pull request is needed.")
        return
    state = "awaits its merge" if result["files"] else "has landed"
    logger.info("Pull request #%s %s: %s", result["number"], state, result["url"])
    create_link_artifact(
        link=result["url"],
        link_text=f"Pull request #{result['number']}",
        key=artifact_key("pull-request", request.target),
        description=f"The change of the GitOps repository for {request.target}; it {state}.",
    )
