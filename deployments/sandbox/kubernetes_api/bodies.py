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
    Object,
    bad_request,
    too_large,
    unsupported_media_type,
)

_LIMIT = 3 * 1024 * 1024
_OBJECT_TYPES = ("application/json", "application/yaml")
REVIEW_TYPES = (*_OBJECT_TYPES, protobuf.MEDIA_TYPE)
"""What reviews and requests for tokens may come as."""

_YAML_TYPES = frozenset({"application/yaml", patches.APPLY_PATCH})


class _Loader(yaml.SafeLoader):
    """YAML whose time stamps stay text, as in Kubernetes, where every document goes through JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def patch_types(kind: Kind) -> tuple[str, ...]:
    """The media types of PATCH; custom resources know no strategic merge."""
    if kind.custom:
        return (patches.JSON_PATCH, patches.MERGE_PATCH, patches.APPLY_PATCH)
    return (patches.JSON_PATCH, patches.MERGE_PATCH, patches.STRATEGIC_MERGE_PATCH, patches.APPLY_PATCH)


async def read_object(request: Request, accepted: Sequence[str] = _OBJECT_TYPES) -> Object:
    """The body as an object.

    Raises:
        ApiError: 400 when it is none, 413 when it is too long, 415 when its type is not accepted.
    """
    content = await read_value(request, accepted)
    if not isinstance(content, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
    return content


async def read_value(request: Request, accepted: Sequence[str]) -> Any:
    """The body as JSON; raises as `read_object`."""
    media_type = media_type_of(request)
    if media_type not in accepted:
        raise unsupported_media_type(accepted)
    body = await _read(request)
    if media_type == protobuf.MEDIA_TYPE:
        return protobuf.read(body)
    try:
        if media_type in _YAML_TYPES and not body.lstrip().startswith(b"{"):
            return yaml.load(body, Loader=_Loader)  # noqa: S506 (a SafeLoader)
        return json.loads(body)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {type(error).__name__}") from error


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
