"""The API's frame: tokens, rate limits, conditional requests, lists in pages, refusals in GitHub's words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from sandbox.github_api.answers import Json
from sandbox.github_api.problems import Problem
from sandbox.github_api.service import Service

REPOSITORY = "/api/v3/repos/{owner}/{name}"
"""Where the API about a repository begins, as on a GitHub Enterprise Server."""

_MOST_ON_A_PAGE = 100
Item = TypeVar("Item")


def _caller(request: Request) -> str:
    login: str = request.state.login  # set by the frame, before any route runs
    return login


Caller = Annotated[str, Depends(_caller)]
"""The user whose token came with the request."""


def framed(service: Service) -> type[APIRoute]:
    """The class of the API's routes."""

    class Framed(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    login = service.accounts.authenticate(request.headers.get("authorization"))
                except Problem as problem:
                    return problem.answer()
                request.state.login = login
                try:
                    service.limiter.count(login, request.method)
                    async with service.one_by_one:
                        response = _unless_known(request, await handle(request))
                except Problem as problem:
                    response = problem.answer()
                if response.status_code == 304:
                    service.limiter.give_back(login)
                response.headers.update(service.limiter.headers(login))
                return response

            return answer

    return Framed


def _unless_known(request: Request, response: Response) -> Response:
    """The answer with an ETag, or 304 if the caller has that already."""
    if request.method != "GET":
        return response
    etag = f'W/"{hashlib.sha256(response.body).hexdigest()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return response


def in_pages(request: Request, items: Sequence[Item], shape: Callable[[Item], Json]) -> JSONResponse:
    """The part of a list that ``page`` and ``per_page`` ask for, and in ``Link`` where it goes on.

    Args:
        shape: makes the answer about one item; called for those that are shown only.
    """
    per_page = min(int(request.query_params.get("per_page", 30)), _MOST_ON_A_PAGE)
    page = int(request.query_params.get("page", 1))
    following = request.url.include_query_params(page=page + 1)
    goes_on = {"Link": f'<{following}>; rel="next"'} if len(items) > page * per_page else None
    shown = items[(page - 1) * per_page : page * per_page]
    return JSONResponse([shape(item) for item in shown], headers=goes_on)
