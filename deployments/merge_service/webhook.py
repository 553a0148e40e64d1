"""The HTTP side: takes GitHub's deliveries, or says why not; and tells how the service is.

The payload is only a hint: all that a delivery can do is to have its repository looked at. It is answered at
once; the loop looks. Nothing of a request's body, headers or signature is written to the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import sqlite3
from dataclasses import asdict

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from deployments.merge_service.deliveries import SeenDeliveries
from deployments.merge_service.loop import Loop
from deployments.merge_service.payloads import MalformedPayloadError, what_to_look_at
from deployments.merge_service.quiet_log import QuietLog

MAX_BODY = 2 * 2**20
"""Bytes. The events we read have 10 to 30 KiB; a push of thousands of commits is found by the next poll."""
_BODY_SECONDS = 10.0
"""As long as GitHub waits for an answer."""

_EVENTS = ("pull_request", "push")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


class DeliveryRefusedError(Exception):
    """A delivery that is not taken. ``reason`` is for the sender and for the log: it quotes nothing."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


def application(secret: bytes, seen: SeenDeliveries, loop: Loop, log: logging.Logger) -> FastAPI:
    """The web application.

    Args:
        secret: key of the signatures.
        seen: the deliveries so far.
        loop: what looks.
        log: for what happened to deliveries.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    refusals = QuietLog(log)

    @app.post("/webhook")
    async def webhook(request: Request) -> JSONResponse:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise DeliveryRefusedError(415, "the content type is not application/json")
        body = await _body(request)
        _demand_signature(secret, body, request.headers.get("x-hub-signature-256", ""))
        delivery = request.headers.get("x-github-delivery", "")
        if not _ID.fullmatch(delivery):
            raise DeliveryRefusedError(400, "X-GitHub-Delivery is missing or is no id")
        event = request.headers.get("x-github-event", "")
        if event == "ping":
            return _answer(200, "pong")
        if event not in _EVENTS:
            return _answer(202, "ignored: not an event that we use")
        try:
            target = what_to_look_at(event, body, loop.repositories)
        except MalformedPayloadError:
            raise DeliveryRefusedError(400, f"the body is not the payload of a {event} event") from None
        if not target:
            return _answer(202, "ignored: no waiting run can be concerned by this event of this repository")
        if not await _is_new(seen, delivery, body, log):
            return _answer(202, "seen already")
        # Names as our own connections have them, not as the delivery says them.
        log.info("A %s was announced: looking at %s.", event, target)
        loop.hint(target)
        return _answer(202, "looking")

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        health = loop.health()
        status = "failing" if health.reason else "ok"
        return JSONResponse({"status": status, **asdict(health)}, 503 if health.reason else 200)

    @app.exception_handler(DeliveryRefusedError)
    async def refused(_request: Request, refusal: DeliveryRefusedError) -> JSONResponse:
        refusals.warning(f"A delivery was refused with {refusal.status}: {refusal.reason}.")
        # Whatever is left of the body is not read: the connection is of no further use.
        headers = {"Connection": "close"} if refusal.status in {408, 413} else None
        return _answer(refusal.status, refusal.reason, headers)

    return app


def _answer(status: int, what: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"message": what}, status, headers)


async def _body(request: Request) -> bytes:
    """The raw bytes, counted while they come: the length that a sender claims proves nothing."""
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed[:20]) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _too_large()
    except ClientDisconnect:
        raise DeliveryRefusedError(400, "the sender hung up before the body was there") from None
    except TimeoutError:
        raise DeliveryRefusedError(408, "the body did not arrive in time") from None
    return bytes(body)


def _too_large() -> DeliveryRefusedError:
    return DeliveryRefusedError(413, f"the body is larger than {MAX_BODY} bytes")


def _demand_signature(secret: bytes, body: bytes, given: str) -> None:
    if not given:
        raise DeliveryRefusedError(401, "X-Hub-Signature-256 is missing")
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    # compare_digest takes text only if it is ASCII, which a header need not be.
    if not _SIGNATURE.fullmatch(given) or not hmac.compare_digest(given, expected):
        raise DeliveryRefusedError(401, "the signature is wrong: it was not made with this service's secret")


async def _is_new(seen: SeenDeliveries, delivery: str, body: bytes, log: logging.Logger) -> bool:
    try:
        return await asyncio.to_thread(seen.remember, delivery, body)
    except sqlite3.Error as error:
        # A look too many costs a few requests; a hint that is lost costs a minute.
        log.error("The memory of deliveries cannot be written: %s. Taken without it.", error)
        return True
