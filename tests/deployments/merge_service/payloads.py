"""Payloads in the shape that GitHub documents for its webhooks, with what our code never reads too."""

from __future__ import annotations

import json
from typing import Any

REPOSITORY = "operate-first/apps"
BRANCH = "enable-vault/emea/ember"
NO_COMMIT = "0" * 40
_BEFORE = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
_AFTER = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
_TIME = "2026-05-15T15:20:33Z"

Json = dict[str, Any]


def user(login: str, *, kind: str = "User") -> Json:
    api = f"https://api.github.com/users/{login}"
    return {
        "login": login,
        "id": 21031067,
        "node_id": "MDQ6VXNlcjIxMDMxMDY3",
        "avatar_url": "https://avatars.githubusercontent.com/u/21031067?v=4",
        "gravatar_id": "",
        "url": api,
        "html_url": f"https://github.com/{login}",
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events{{/privacy}}",
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def repository(full_name: str = REPOSITORY) -> Json:
    owner, name = full_name.split("/")
    return {
        "id": 186853002,
        "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=",
        "name": name,
        "full_name": full_name,
        "private": False,
        "owner": user(owner, kind="Organization"),
        "html_url": f"https://github.com/{full_name}",
        "description": None,
        "fork": False,
        "url": f"https://api.github.com/repos/{full_name}",
        "created_at": "2019-05-15T15:19:25Z",
        "updated_at": _TIME,
        "pushed_at": _TIME,
        "clone_url": f"https://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "size": 0,
        "stargazers_count": 0,
        "language": "YAML",
        "has_issues": True,
        "archived": False,
        "disabled": False,
        "license": None,
        "allow_forking": True,
        "topics": ["gitops", "Größe"],
        "visibility": "public",
        "default_branch": "master",
        "custom_properties": {},
    }


def pull_request(action: str, *, merged: bool = False, full_name: str = REPOSITORY, **more: Any) -> Json:
    """The payload of a ``pull_request`` event; ``more`` are the fields that only this action has."""
    closed = action == "closed"
    api = f"https://api.github.com/repos/{full_name}/pulls/2"

    def side(ref: str, sha: str) -> Json:
        return {
            "label": f"operate-first:{ref}",
            "ref": ref,
            "sha": sha,
            "user": user("operate-first", kind="Organization"),
            "repo": repository(full_name),
        }

    return {
        "action": action,
        "number": 2,
        "pull_request": {
            "url": api,
            "id": 279147437,
            "node_id": "MDExOlB1bGxSZXF1ZXN0Mjc5MTQ3NDM3",
            "html_url": f"https://github.com/{full_name}/pull/2",
            "number": 2,
            "state": "closed" if closed else "open",
            "locked": False,
            "title": "Enable emea/ember to read its secrets",
            "user": user("pipeline"),
            "body": "A body that must stay out of every log",
            "created_at": "2026-05-15T15:20:33Z",
            "updated_at": _TIME,
            "closed_at": _TIME if closed else None,
            "merged_at": _TIME if merged else None,
            "merge_commit_sha": _AFTER if merged else None,
            "assignee": None,
            "requested_reviewers": [],
            "labels": [],
            "milestone": None,
            "draft": False,
            "head": side(BRANCH, _BEFORE),
            "base": side("master", _AFTER),
            "_links": {"self": {"href": api}},
            "author_association": "MEMBER",
            "auto_merge": None,
            "active_lock_reason": None,
            "merged": merged,
            "mergeable": None,
            "rebaseable": None,
            "mergeable_state": "unknown",
            "merged_by": user("reviewer") if merged else None,
            "comments": 0,
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": 1,
            "additions": 1,
            "deletions": 0,
            "changed_files": 1,
        },
        **more,
        "repository": repository(full_name),
        "organization": {"login": "operate-first", "id": 38302899},
        "sender": user("reviewer"),
    }


def push(ref: str, *, full_name: str = REPOSITORY, created: bool = False, deleted: bool = False) -> Json:
    """The payload of a ``push`` event."""
    commit = {
        "id": _AFTER,
        "tree_id": "f9d2a07e9488b91af2641b26b9407fe22a451433",
        "distinct": True,
        "message": "A message that must stay out of every log",
        "timestamp": "2026-05-15T15:20:41+02:00",
        "url": f"https://github.com/{full_name}/commit/{_AFTER}",
        "author": {"name": "A Person", "email": "person@example.com", "username": "person"},
        "committer": {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"},
        "added": [],
        "removed": [],
        "modified": ["cluster-scope/overlays/prod/emea/ember/kustomization.yaml"],
    }
    owner = repository(full_name)["owner"]
    return {
        "ref": ref,
        "before": NO_COMMIT if created else _BEFORE,
        "after": NO_COMMIT if deleted else _AFTER,
        # In a push, times are numbers and the owner has a name and an e-mail.
        "repository": repository(full_name)
        | {"created_at": 1557933565, "pushed_at": 1557933657, "owner": owner | {"name": "x", "email": None}},
        "pusher": {"name": "reviewer", "email": "reviewer@example.com"},
        "sender": user("reviewer"),
        "created": created,
        "deleted": deleted,
        "forced": False,
        "base_ref": None,
        "compare": f"https://github.com/{full_name}/compare/{_BEFORE[:12]}...{_AFTER[:12]}",
        "commits": [] if deleted else [commit],
        "head_commit": None if deleted else commit,
    }


def ping(full_name: str = REPOSITORY) -> Json:
    """The payload that GitHub sends when a webhook is made."""
    return {
        "zen": "Approachable is better than simple.",
        "hook_id": 109948940,
        "hook": {
            "type": "Repository",
            "id": 109948940,
            "name": "web",
            "active": True,
            "events": ["pull_request", "push"],
            "config": {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": "https://x"},
            "updated_at": _TIME,
            "created_at": _TIME,
        },
        "repository": repository(full_name),
        "sender": user("reviewer"),
    }


def encoded(payload: Json) -> bytes:
    """As GitHub puts it on the wire: compact, and what is not ASCII as UTF-8."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
