"""Payloads of GitHub's webhooks: what our code reads, among things that it must neither read nor repeat.

GitHub's own samples, whole ones, are delivered by ``test_webhook_samples.py``.
"""

from __future__ import annotations

import json
from typing import Any

REPOSITORY = "operate-first/apps"
BRANCH = "enable-vault/emea/ember"
_BEFORE = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
_AFTER = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"

Json = dict[str, Any]


def repository(full_name: str = REPOSITORY) -> Json:
    owner, name = full_name.split("/")
    return {
        "id": 186853002,
        "name": name,
        "full_name": full_name,
        "owner": {"login": owner, "type": "Organization"},
        "html_url": f"https://github.com/{full_name}",
        "topics": ["gitops", "Größe"],
        "default_branch": "master",
    }


def pull_request(action: str, *, merged: bool = False, full_name: str = REPOSITORY, **more: Any) -> Json:
    """The payload of a ``pull_request`` event; ``more`` are the fields that only this action has."""
    return {
        "action": action,
        "number": 2,
        "pull_request": {
            "html_url": f"https://github.com/{full_name}/pull/2",
            "number": 2,
            "state": "closed" if action == "closed" else "open",
            "body": "A body that must stay out of every log",
            "merge_commit_sha": _AFTER if merged else None,
            "head": {"ref": BRANCH, "sha": _BEFORE, "repo": repository("somebody/fork")},
            "base": {"ref": "master", "sha": _AFTER, "repo": repository(full_name)},
            "merged": merged,
            "merged_by": {"login": "reviewer"} if merged else None,
        },
        **more,
        "repository": repository(full_name),
        "sender": {"login": "reviewer"},
    }


def push(ref: str, *, full_name: str = REPOSITORY, deleted: bool = False) -> Json:
    """The payload of a ``push`` event."""
    commit = {"id": _AFTER, "message": "A message that must stay out of every log"}
    return {
        "ref": ref,
        "before": _BEFORE,
        "after": "0" * 40 if deleted else _AFTER,
        "repository": repository(full_name),
        "pusher": {"name": "reviewer", "email": "reviewer@example.com"},
        "deleted": deleted,
        "commits": [] if deleted else [commit],
        "head_commit": None if deleted else commit,
    }


def ping(full_name: str = REPOSITORY) -> Json:
    """The payload that GitHub sends when a webhook is made."""
    config = {"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": "https://x"}
    hook = {"type": "Repository", "active": True, "events": ["pull_request", "push"], "config": config}
    return {"zen": "Approachable is better than simple.", "hook": hook, "repository": repository(full_name)}


def encoded(payload: Json) -> bytes:
    """As GitHub puts it on the wire: compact, and what is not ASCII as UTF-8."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
