"""Long lists in pages: ``limit`` and ``continue``."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from deployments.sandbox.kubernetes_api.status import Object, bad_request


def page(items: list[Object], version: int, limit: int, token: str) -> tuple[list[Object], Object]:
    """One page of a list, and the list's metadata.

    Args:
        items: the whole list as it is now, sorted by namespace and name. A real server still knows what it
            was at the first page; here a later page shows later changes.
        version: the resourceVersion at which it was read.
        limit: of objects on a page; 0 means all.
        token: ``metadata.continue`` of the page before, empty for the first.

    Raises:
        ApiError: 400 for a broken token.
    """
    after, version = _position(token) if token else (("", ""), version)
    rest = [item for item in items if _place(item) > after]
    metadata: Object = {"resourceVersion": str(version)}
    if not limit or len(rest) <= limit:
        return rest, metadata
    position = json.dumps({"rv": version, "after": _place(rest[limit - 1])}).encode()
    metadata["continue"] = base64.urlsafe_b64encode(position).decode().rstrip("=")
    metadata["remainingItemCount"] = len(rest) - limit
    return rest[:limit], metadata


def _place(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _position(token: str) -> tuple[tuple[str, str], int]:
    try:
        position: Any = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = position["after"]
        return (str(namespace), str(name)), int(position["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
