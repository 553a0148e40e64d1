"""Long lists in pages: ``limit`` and ``continue``."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from deployments.sandbox.kubernetes_api.status import Object, bad_request, expired


def page(items: list[Object], version: int, limit: int, token: str) -> tuple[list[Object], Object]:
    """One page of a list, and the list's metadata.

    Args:
        items: the whole list.
        version: the resourceVersion at which it was read.
        limit: of objects on a page; 0 means all.
        token: ``metadata.continue`` of the page before, empty for the first.

    Raises:
        ApiError: 400 for a broken token, 410 for one from before a change.
    """
    start = _position(token, version) if token else 0
    rest = items[start:]
    metadata: Object = {"resourceVersion": str(version)}
    if not limit or len(rest) <= limit:
        return rest, metadata
    position = json.dumps({"rv": version, "start": start + limit}).encode()
    metadata["continue"] = base64.urlsafe_b64encode(position).decode().rstrip("=")
    metadata["remainingItemCount"] = len(rest) - limit
    return rest[:limit], metadata


def _position(token: str, version: int) -> int:
    try:
        position: Any = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        start, seen = int(position["start"]), int(position["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
    if seen != version:
        # A real server still knows the old list for minutes; this one has only what is now.
        raise expired(str(seen), version)
    return start
