"""The web application: API, Git remote and page under one address, and a log of what was asked."""

from __future__ import annotations

import logging
from collections.abc import MutableSequence
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.github_api import api_graphql, api_pull_requests, api_repositories, page, smart_http
from sandbox.github_api.problems import Problem
from sandbox.github_api.service import Service


@dataclass(frozen=True)
class Exchange:
    """A request and the status of its answer; never a body, a header or a token."""

    method: str
    path: str
    status: int


class _Recorder:
    """Writes down every request, whoever answers it."""

    def __init__(self, app: ASGIApp, exchanges: MutableSequence[Exchange], log: logging.Logger) -> None:
        self._app = app
        self._exchanges = exchanges
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange = Exchange(scope["method"], scope["path"], message["status"])
                self._exchanges.append(exchange)
                self._log.info("%s %s %s", exchange.method, exchange.path, exchange.status)
            await send(message)

        await self._app(scope, receive, observe)


def application(service: Service, exchanges: MutableSequence[Exchange], log: logging.Logger) -> FastAPI:
    """The whole application. What is asked of it is appended to ``exchanges`` and written to ``log``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for routes in (api_repositories, api_pull_requests, api_graphql, smart_http, page):
        app.include_router(routes.router(service))

    @app.exception_handler(Problem)
    async def refuse(_request: Request, problem: Problem) -> JSONResponse:
        return problem.answer()

    # A foreign name that resolves to the loopback address would make the page readable to its web site.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.add_middleware(_Recorder, exchanges=exchanges, log=log)
    return app
