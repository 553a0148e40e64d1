"""The web application: API, Git remote and pages under one address, and a log of what was asked."""

from __future__ import annotations

import logging
from collections.abc import MutableSequence
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.sandbox.github_api import pages, smart_http
from deployments.sandbox.github_api.api import api
from deployments.sandbox.github_api.problems import Problem
from deployments.sandbox.github_api.service import Service


@dataclass(frozen=True)
class Exchange:
    """A request and the status of its answer; never a body, a header or a token."""

    method: str
    path: str
    query: str
    status: int
    login: str | None


class _Recorder:
    """Writes down every request, whoever answers it."""

    def __init__(
        self, app: ASGIApp, exchanges: MutableSequence[Exchange] | None, log: logging.Logger
    ) -> None:
        self._app = app
        self._exchanges = exchanges
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = scope.setdefault("state", {})  # in which the routes leave the caller's login
        # A mounted application changes the scope that it gets.
        method, path, query = scope["method"], scope["path"], scope["query_string"].decode("latin-1")

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange = Exchange(method, path, query, message["status"], known.get("login"))
                if self._exchanges is not None:
                    self._exchanges.append(exchange)
                self._log.info(
                    "%s %s %s %s", exchange.login or "-", exchange.method, exchange.path, exchange.status
                )
            await send(message)

        await self._app(scope, receive, observe)


def application(
    service: Service, exchanges: MutableSequence[Exchange] | None, log: logging.Logger
) -> FastAPI:
    """The whole application. What is asked of it is appended to ``exchanges`` and written to ``log``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/api/v3", api(service))
    app.include_router(smart_http.router(service))
    app.include_router(pages.router(service))

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> PlainTextResponse:
        return PlainTextResponse(f"{error.message}\n", error.status)

    # A foreign name that resolves to the loopback address would make the pages readable to its web site.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.add_middleware(_Recorder, exchanges=exchanges, log=log)
    return app
