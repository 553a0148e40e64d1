"""Request bodies: which media types are taken, how they are read, and how large they may be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from starlette.requests import Request

from deployments.sandbox.kubernetes_api import patches, protobuf
from deployments.sandbox.kubernetes_api.kinds import Kind
from deployments.sandbox.kubernetes_api.status import (
    ApiError,
    Object,
    bad_request,
    too_large,
    unsupported_media_type,
)

_LIMIT = 3 * 1024 * 1024
_OBJECT_TYPES = ("application/json", "application/yaml")
REVIEW_TYPES = (*_OBJECT_TYPES, protobuf.MEDIA_TYPE)
"""What reviews and requests for tokens may come as."""

_CUSTOM_PATCHES = (patches.JSON_PATCH, patches.MERGE_PATCH, patches.APPLY_PATCH)
_YAML_TYPES = frozenset({"application/yaml", patches.APPLY_PATCH})


class _Loader(yaml.SafeLoader):
    """YAML whose time stamps stay text, as in Kubernetes, where every document goes through JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


async def read_object(request: Request, kind: str, accepted: Sequence[str] = _OBJECT_TYPES) -> Object:
    """The body as an object, which shall be of ``kind``.

    Raises:
        ApiError: 400 when it is no object, 413 when it is too long, 415 when its type is not accepted.
    """
    media_type = media_type_of(request)
    if media_type not in accepted:
        raise unsupported_media_type(accepted)
    body = await _read(request)
    if media_type == protobuf.MEDIA_TYPE:
        return protobuf.read(body)
    unreadable = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
    try:
        content = _parse(body, media_type)
    except (ValueError, yaml.YAMLError) as error:
        # Unlike a real server's, this answer does not repeat the body: it may hold a secret.
        raise bad_request(f"{unreadable}; json parse error: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise bad_request(f"{unreadable}; json parse error: not an object")
    return content


async def read_patch(request: Request, kind: Kind) -> Any:
    """The body of a PATCH: an object or, for a JSON patch, a list.

    Raises:
        ApiError: as `read_object`. Custom resources take no strategic merge patch.
    """
    accepted = _CUSTOM_PATCHES if kind.custom else (*_CUSTOM_PATCHES, patches.STRATEGIC_MERGE_PATCH)
    media_type = media_type_of(request)
    if media_type not in accepted:
        if kind.custom:
            raise unsupported_media_type(accepted)
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    body = await _read(request)
    try:
        return _parse(body, media_type)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"error decoding patch: {type(error).__name__}") from error


def _parse(body: bytes, media_type: str) -> Any:
    if media_type in _YAML_TYPES and not body.lstrip().startswith(b"{"):
        return yaml.load(body, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    return json.loads(body)


async def read_options(request: Request) -> Object:
    """The DeleteOptions of a DELETE, empty without a body."""
    body = await _read(request)
    if not body:
        return {}
    try:
        options = json.loads(body)
    except ValueError as error:
        raise bad_request("couldn't get version/kind; json parse error") from error
    return options if isinstance(options, dict) else {}


def media_type_of(request: Request) -> str:
    """The media type without its parameters; JSON when none is given."""
    return request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


async def _read(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LIMIT:
            raise too_large(_LIMIT)
        chunks.append(chunk)
    return b"".join(chunks)
