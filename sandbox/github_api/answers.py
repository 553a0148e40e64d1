"""What GitHub shows of users, repositories, pull requests and comments: the fields that somebody reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.github_api.accounts import Permission, reaches
from sandbox.github_api.state import Comment, PullRequest, Repository

Json = dict[str, Any]


def about_user(login: str) -> Json:
    """GitHub's "simple user"."""
    return {"login": login, "type": "User"}


def about_repository(url: str, repository: Repository, permission: Permission) -> Json:
    """GitHub's "full repository", with the permission of whoever asks. ``url`` is the stand-in's own."""
    page = f"{url}/{repository.full_name}"
    answer: Json = {
        "full_name": repository.full_name,
        "default_branch": repository.default_branch,
        "archived": False,
        "fork": repository.parent is not None,
        "clone_url": f"{page}.git",
        "html_url": page,
        "permissions": {"push": reaches(permission, "write")},
    }
    if repository.parent is not None:
        answer["parent"] = {"full_name": repository.parent.full_name}
    return answer


def in_list(url: str, pull: PullRequest) -> Json:
    """GitHub's "simple pull request", as it stands in a list."""
    closed_at = _timestamp(pull.closed_at)
    return {
        "html_url": f"{url}/{pull.base.full_name}/pull/{pull.number}",
        "number": pull.number,
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "closed_at": closed_at,
        "merged_at": closed_at if pull.merge_commit_sha else None,
        "head": _side(pull.head, pull.head_branch, pull.head_sha),
        "base": _side(pull.base, pull.base_branch, pull.base_sha),
    }


def about_pull_request(url: str, pull: PullRequest, test_merge: str | None, mergeable: bool | None) -> Json:
    """GitHub's "pull request", as the answer about a single one.

    Args:
        test_merge: the commit by which GitHub tries whether an open one merges.
        mergeable: what came of that; None while it is not known.
    """
    return {
        **in_list(url, pull),
        # Of an open one this is GitHub's test merge, not a merge that happened.
        "merge_commit_sha": pull.merge_commit_sha or test_merge,
        "merged_by": about_user(pull.closed_by) if pull.merge_commit_sha and pull.closed_by else None,
        "mergeable": mergeable,
    }


def about_issue(pull: PullRequest) -> Json:
    """A pull request seen as the issue that it also is: only here GitHub tells who closed it."""
    return {"closed_by": about_user(pull.closed_by) if pull.closed_by else None}


def about_comment(comment: Comment) -> Json:
    """A comment on a pull request."""
    return {"body": comment.body, "user": about_user(comment.author)}


def _side(repository: Repository, branch: str, commit: str) -> Json:
    label, user = f"{repository.owner}:{branch}", about_user(repository.owner)
    return {"label": label, "ref": branch, "sha": commit, "user": user}


def _timestamp(moment: datetime | None) -> str | None:
    """A moment as GitHub writes it, in whole seconds."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
