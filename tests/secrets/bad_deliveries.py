"""Deliveries to the merge service that carry the webhook's secret itself, in every part of a request.

Nobody should send them; a proxy that adds headers, a person who tries the webhook out with curl, or an
attacker who knows the secret does.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from bench.world import REPOSITORY
from sandbox.github_api.webhooks import signature
from tests.deployments.merge_service.payloads import encoded, ping, pull_request, push
from tests.merge_service import Service

_PATH = "/webhook"
_SECONDS = 30.0


Delivery = tuple[str, int, bytes, dict[str, str]]
"""What is odd about it, with which status it is answered, its body and its headers."""


def bad_deliveries(secret: str) -> Iterator[Delivery]:
    """All that are well-formed HTTP. ``secret`` is the webhook's, and has the form of an id."""

    def headers(body: bytes, event: str = "push", **changes: str) -> dict[str, str]:
        signed = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": "5a7e3b1c-0000-4000-8000-000000000000",
            "x-hub-signature-256": signature(secret, body),
        }
        return signed | {name.replace("_", "-"): value for name, value in changes.items()}

    everywhere = {
        "authorization": f"Bearer {secret}",
        "cookie": f"secret={secret}",
        **dict.fromkeys(("user_agent", "x_github_delivery", "x_github_event", "x_hub_signature_256"), secret),
    }
    merged = pull_request("closed", merged=True, full_name=REPOSITORY)
    telling = encoded(merged | {"hook": {"config": {"secret": secret}}})
    branch = encoded(push(f"refs/heads/enable-vault/{secret}", full_name=REPOSITORY))
    foreign = encoded(push("refs/heads/main", full_name=f"{secret}/{secret}"))
    other = signature("the secret of somebody else", telling)
    odd = encoded({"secret": secret})

    yield "the secret as every header", 401, telling, headers(telling, **everywhere)
    yield "wrong signature", 401, telling, headers(telling, x_hub_signature_256=other)
    cut = {"x_hub_signature_256": f"sha256={secret[:63]}", "authorization": f"Basic {secret}"}
    yield "in the query", 401, telling, headers(telling, **cut)
    yield "in the path", 404, telling, headers(telling)
    yield "in the type", 415, telling, headers(telling, content_type=f"text/{secret}")
    yield "a body that is no JSON", 400, secret.encode(), headers(secret.encode())
    yield "a body of another shape", 400, odd, headers(odd)
    yield "in a bad id", 400, telling, headers(telling, x_github_delivery=f"{secret} {secret}")
    yield "as the event", 202, telling, headers(telling, secret)
    yield "in a ping", 200, telling, headers(telling, "ping")
    yield "as the repository", 202, foreign, headers(foreign)
    # These two are right but for what they carry: they are remembered, and looked at.
    yield "as id and branch", 202, branch, headers(branch, x_github_delivery=secret)
    yield "in the body", 202, telling, headers(telling, "pull_request")
    hook = encoded(ping(REPOSITORY) | {"hook": {"config": {"secret": secret}}})
    yield "as GitHub's own ping would, unmasked", 200, hook, headers(hook, "ping")


def _broken(secret: str) -> Iterator[tuple[int, bytes]]:
    """What is no request, or none that is read to its end; with the status of the answer."""
    yield 400, f"POST {_PATH}?{secret} HTTP/1.1\r\nHost: x\r\n{secret}\r\n\r\n{secret}".encode()
    yield 400, f"{secret} {secret}\r\n\r\n".encode()
    head = f"POST {_PATH}?{secret} HTTP/1.1\r\nHost: {secret}\r\nContent-Type: application/json"
    yield 413, f"{head}\r\nContent-Length: 99999999\r\n\r\n{secret}".encode()


def send_bad_deliveries(service: Service) -> list[bytes]:
    """Send all of them, and see that each is answered as it should be. Returns the answers."""
    answers, secret = [], service.secret
    with httpx.Client(base_url=service.url, timeout=_SECONDS, trust_env=False) as client:
        paths = {"in the query": f"?secret={secret}&{secret}", "in the path": f"/{secret}"}
        for what, status, body, headers in bad_deliveries(secret):
            answer = client.post(f"{_PATH}{paths.get(what, '')}", content=body, headers=headers)
            assert answer.status_code == status, f"{what}: {answer.status_code} {answer.text}"
            answers.append(json.dumps([answer.headers.multi_items(), answer.text]).encode())
        answers.append(client.get("/healthz").content)
    for status, request in _broken(secret):
        answer_bytes = _send(service.url, request)
        assert answer_bytes.split(b" ", 2)[1] == str(status).encode(), answer_bytes
        answers.append(answer_bytes)
    return answers


def _send(url: str, request: bytes) -> bytes:
    """Bytes as they are, and all that comes back."""
    address = urlsplit(url)
    received = b""
    with socket.create_connection((address.hostname or "", address.port or 0), _SECONDS) as connection:
        connection.sendall(request)
        while chunk := connection.recv(65536):
            received += chunk
    return received
