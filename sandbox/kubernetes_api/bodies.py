"""Request bodies: which media types are taken, and how they are read. All of them are JSON here, as clients
send it; that of a server-side apply is called YAML.
"""

from __future__ import annotations

import json

from starlette.requests import Request

from sandbox.kubernetes_api import patches
from sandbox.kubernetes_api.status import Object, bad_request, unsupported_media_type

_JSON = "application/json"


async def read_object(request: Request, kind: str) -> Object:
    """The body as an object, which shall be of ``kind``.

    Raises:
        ApiError: 400 when it is no object, 415 when its type is not accepted.
    """
    unreadable = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
    return await _read(request, _JSON, f"{unreadable}; json parse error")


async def read_patch(request: Request) -> Object:
    """The body of a server-side apply.

    Raises:
        ApiError: as `read_object`; 415 for any other kind of patch.
    """
    return await _read(request, patches.APPLY_PATCH, "error decoding patch")


async def _read(request: Request, accepted: str, unreadable: str) -> Object:
    media_type = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if media_type != accepted:
        raise unsupported_media_type([accepted])
    try:
        content = json.loads(await request.body())
    except ValueError as error:
        # Unlike a real server's, this answer does not repeat the body: it may hold a secret.
        raise bad_request(f"{unreadable}: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise bad_request(f"{unreadable}: not an object")
    return content
