"""What the API's routes share: who asks, the JSON that came, and lists in pages."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.responses import JSONResponse

from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.problems import Problem

Item = TypeVar("Item")

_MOST_ON_A_PAGE = 100


async def _json_body(request: Request) -> Json:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise Problem(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise Problem(400, "Body should be a JSON object")
    return body


def _caller(request: Request) -> str:
    login: str = request.state.login  # set by the frame, before any route runs
    return login


Body = Annotated[Json, Depends(_json_body)]
"""The JSON object that a request carries; an empty one if it carries nothing."""

Caller = Annotated[str, Depends(_caller)]
"""The user whose token came with the request."""


def text_field(body: Json, field: str) -> str | None:
    """An optional text of the body.

    Raises:
        Problem: 422 if it is something else.
    """
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise Problem(422, f"Invalid request.\n\nFor 'properties/{field}', {value!r} is not a string.")
    return value


def required_text(body: Json, field: str) -> str:
    """A text that the body must have.

    Raises:
        Problem: 422 if it is missing or something else.
    """
    value = text_field(body, field)
    if value is None:
        raise Problem(422, f'Invalid request.\n\n"{field}" wasn\'t supplied.')
    return value


def flag(body: Json, field: str) -> bool:
    """A truth value of the body, false without one."""
    return body.get(field) is True


def in_pages(
    request: Request, api: str, items: Sequence[Item], shape: Callable[[Item], Json]
) -> JSONResponse:
    """The part of a list that ``page`` and ``per_page`` ask for, with GitHub's ``Link`` header.

    Args:
        api: where the API begins, for the links.
        shape: makes the answer about one item; called for those that are shown only.
    """
    per_page = min(_number(request, "per_page", 30), _MOST_ON_A_PAGE)
    page = _number(request, "page", 1)
    last = max(1, math.ceil(len(items) / per_page))
    path = request.url.path.split("/api/v3", 1)[-1]
    targets: dict[str, int] = {}
    if page > 1:
        targets |= {"prev": min(page - 1, last), "first": 1}
    if page < last:
        targets |= {"next": page + 1, "last": last}
    links = [
        f'<{api}{path}?{request.url.include_query_params(page=number).query}>; rel="{relation}"'
        for relation, number in targets.items()
    ]
    shown = items[(page - 1) * per_page : page * per_page]
    return JSONResponse([shape(item) for item in shown], headers={"Link": ", ".join(links)} if links else {})


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and 0 < int(text) < 10**6 else otherwise
