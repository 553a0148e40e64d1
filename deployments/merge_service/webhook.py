"""The HTTP side: takes GitHub's deliveries, or says why not; and tells how the service is.

The payload is only a hint: all that a delivery can do, a repeated one too, is to have its repository looked
at. It is answered at once; the loop looks. Nothing that is refused is written to the log, so that strangers
cannot fill it: GitHub's page of the webhook shows the answers.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from deployments.merge_service.loop import Loop
from deployments.merge_service.repositories import what_to_look_at

MAX_BODY = 2 * 2**20
"""Bytes. The events we read have 10 to 30 KiB; a push of thousands of commits is found by the next poll."""

_EVENTS = ("pull_request", "push")


def application(secret: bytes | None, loop: Loop, log: logging.Logger) -> FastAPI:
    """The web application.

    Args:
        secret: of GitHub's webhook; None: no delivery is taken.
        loop: what looks.
        log: for everything that people should know.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    async def deliver(request: Request) -> tuple[int, str]:
        if secret is None:
            raise HTTPException(404, "no deliveries are taken: this service only polls")
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "the content type is not application/json")
        body = await _body(request)
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-hub-signature-256", "")
        # As bytes: compare_digest takes text only if it is ASCII, which a header need not be.
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise HTTPException(401, "X-Hub-Signature-256 was not made with this service's secret")
        event = request.headers.get("x-github-event", "")
        if event == "ping":
            return 200, "pong"
        if event not in _EVENTS:
            return 202, "ignored: an event that is not used"
        try:
            repositories = what_to_look_at(event, body, loop.repositories)
        except ValidationError:
            # Its text is about the body; nothing of that goes any further.
            raise HTTPException(400, f"the body is not the payload of a {event} event") from None
        if not repositories:
            return 202, "ignored: this event concerns no waiting run"
        # Names as our own connections have them, not as the delivery says them.
        names = ", ".join(repositories)
        log.info("Received a %s event: checking %s.", event, names, extra={"repository": names})
        loop.hint(repositories)
        return 202, "looking"

    @app.post("/webhook")
    async def webhook(request: Request) -> JSONResponse:
        status, what = 500, "failed"
        try:
            status, what = await deliver(request)
        except HTTPException as error:
            status, what = error.status_code, "refused"
            raise
        finally:
            loop.metrics.deliveries.labels(status, what.split(":")[0]).inc()
        return JSONResponse({"message": what}, status)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        health = loop.health()
        status = "failing" if health["reason"] else "ok"
        return JSONResponse({"status": status, **health}, 503 if health["reason"] else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(loop.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return app


async def _body(request: Request) -> bytes:
    """The raw bytes, counted while they come: the length that a sender claims proves nothing."""
    claimed = request.headers.get("content-length", "")
    _demand_size(int(claimed[:20]) if claimed.isdecimal() else 0)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            _demand_size(len(body))
    except ClientDisconnect:
        raise HTTPException(400, "the sender hung up before the body was there") from None
    return bytes(body)


def _demand_size(size: int) -> None:
    if size > MAX_BODY:
        # Whatever is left of it is not read: the connection is of no further use.
        raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes", {"Connection": "close"})
