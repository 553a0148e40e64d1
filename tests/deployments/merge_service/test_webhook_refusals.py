"""What is not a delivery of ours: refused with a reason, remembered nowhere, and written to no log."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings
from deployments.merge_service.webhook import MAX_BODY
from tests.deployments.merge_service.conftest import (
    SECRET,
    Looks,
    Running,
    Sender,
    eventually,
    new_log,
    sign,
    unique,
)
from tests.deployments.merge_service.payloads import encoded, pull_request, push

MERGED = encoded(pull_request("closed", merged=True))


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param(sign(MERGED, b"the secret of somebody else"), id="of another secret"),
        pytest.param(sign(MERGED, b""), id="of an empty secret"),
        pytest.param(sign(MERGED + b"\n"), id="of another body"),
        pytest.param(sign(MERGED).removeprefix("sha256="), id="without its algorithm"),
        pytest.param(sign(MERGED)[:-1], id="one digit short"),
        pytest.param("sha256=", id="without digits"),
        pytest.param("sha1=" + hmac.new(SECRET, MERGED, hashlib.sha1).hexdigest(), id="SHA-1"),
        pytest.param("sha256=" + "ü" * 64, id="not ASCII"),
    ],
)
def test_without_the_right_signature_it_is_401(sender: Sender, signature: str | None) -> None:
    assert sender.send("pull_request", MERGED, x_hub_signature_256=signature).status_code == 401
    assert sender.looked_at() == []


def test_the_signature_is_over_the_raw_bytes(sender: Sender) -> None:
    again = json.dumps(json.loads(MERGED)).encode()
    assert again != MERGED
    assert sender.send("pull_request", again, x_hub_signature_256=sign(MERGED)).status_code == 401
    assert sender.send("pull_request", again).status_code == 202


@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "text/plain", "application/jsonp"]
)
def test_what_is_not_json_by_its_type_is_415(sender: Sender, kind: str | None) -> None:
    assert sender.send("pull_request", MERGED, content_type=kind).status_code == 415
    assert sender.looked_at() == []


def test_a_type_with_a_charset_is_json(sender: Sender) -> None:
    answer = sender.send("pull_request", MERGED, content_type="application/json; charset=utf-8")
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("event", "body"),
    [
        pytest.param("push", b"", id="empty"),
        pytest.param("push", b"{", id="cut off"),
        pytest.param("push", b"null", id="null"),
        pytest.param("push", b"[]", id="a list"),
        pytest.param("push", b"{}", id="without anything"),
        pytest.param("push", b'"' + b"\xff\xfe" + b'"', id="not UTF-8"),
        pytest.param("push", encoded(push("refs/heads/master")).decode().encode("utf-16"), id="UTF-16"),
        pytest.param("push", b"[" * 100_000, id="deep"),
        pytest.param("push", encoded(push("refs/heads/master") | {"repository": None}), id="no repository"),
        pytest.param("push", encoded(push("refs/heads/master", full_name="a b/c")), id="an odd repository"),
        pytest.param("push", encoded(push("refs/heads/master") | {"ref": 1}), id="a ref that is a number"),
        pytest.param("push", MERGED, id="the payload of the other event"),
        pytest.param("pull_request", encoded(push("refs/heads/master")), id="the other way round"),
        pytest.param("pull_request", encoded(pull_request("closed") | {"action": None}), id="no action"),
        pytest.param(
            "pull_request", encoded(pull_request("closed") | {"number": "2"}), id="a number as text"
        ),
        pytest.param(
            "pull_request", encoded(pull_request("closed") | {"pull_request": {}}), id="nothing in it"
        ),
    ],
)
def test_a_signed_body_that_github_would_not_send_is_400(sender: Sender, event: str, body: bytes) -> None:
    assert sender.send(event, body).status_code == 400
    assert sender.looked_at() == []


@pytest.mark.parametrize("delivery", [None, "", "../../x", "a" * 65, "a b"])
def test_a_delivery_without_a_proper_id_is_400(sender: Sender, delivery: str | None) -> None:
    assert sender.send("pull_request", MERGED, x_github_delivery=delivery).status_code == 400
    assert sender.looked_at() == []


def test_a_body_that_says_it_is_too_large_is_413(sender: Sender) -> None:
    assert sender.send("push", b" " * (MAX_BODY + 1)).status_code == 413
    assert sender.looked_at() == []


def test_a_body_that_turns_out_too_large_is_413_however_it_comes(sender: Sender) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        while sent < 50 * MAX_BODY:
            sent += 65536
            yield b" " * 65536

    try:
        answer = sender.client.post(
            "/webhook",
            content=chunks(),  # without Content-Length: chunked
            headers={"content-type": "application/json", "x-hub-signature-256": sign(b"")},
        )
    except OSError:
        status = 413  # closed while we were still sending
    else:
        status = answer.status_code
    assert status == 413
    assert sent < 50 * MAX_BODY
    assert sender.looked_at() == []


def test_a_body_of_the_largest_size_is_read(sender: Sender) -> None:
    payload = pull_request("closed", merged=True)
    payload["pull_request"]["body"] = "x" * (MAX_BODY - len(encoded(payload)) - 100)
    assert sender.send("pull_request", payload).status_code == 202


def test_only_a_post_to_the_webhook_is_one(sender: Sender) -> None:
    assert sender.client.get("/webhook").status_code == 405
    assert sender.client.post("/").status_code == 404
    assert sender.client.get("/docs").status_code == 404
    assert sender.client.get("/openapi.json").status_code == 404


@pytest.mark.long
def test_a_body_that_does_not_come_is_given_up(running: Running, sender: Sender) -> None:
    address = urlsplit(running.service.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        connection.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert sender.send("pull_request", pull_request("closed")).status_code == 202  # nobody waits
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_nothing_of_a_request_gets_into_the_log(
    connected: None, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    log = new_log()
    good = encoded(pull_request("closed", merged=True))
    delivery = "11111111-2222-3333-4444-555555555555"
    with MergeService(settings, Looks(), log.logger) as service:
        # Before and after the connections are known.
        _send_marked(Sender(service.url, Looks()), encoded(pull_request("closed")), delivery + "0")
        eventually(lambda: service.loop.repositories is not None, lambda: log.text)
        _send_marked(Sender(service.url, Looks()), good, delivery)
    written = log.text + caplog.text
    assert "looking at operate-first/apps" in written
    assert "refused with 401" in written
    for part in ("marked", "must stay out", "reviewer", delivery, sign(good).removeprefix("sha256=")):
        assert part not in written


def _send_marked(sender: Sender, good: bytes, delivery: str) -> None:
    marked = pull_request("closed", merged=True, full_name="marked/marked")
    body = encoded(marked | {"marked": "marked-body"})
    sender.send("pull_request", body)
    sender.send("pull_request", body, x_hub_signature_256="sha256=marked")
    sender.send("pull_request", body, x_hub_signature_256=sign(b"other"))
    sender.send("marked", body)
    sender.send("push", body)
    sender.send("push", b"marked")
    sender.send("push", body, content_type="marked/json")
    sender.send("push", body, x_github_delivery="marked marked")
    sender.client.post("/webhook?marked=marked", content=b"marked", headers={"marked": "marked"})
    sender.send("pull_request", good, x_github_delivery=delivery)


def test_a_flood_of_refusals_is_one_line(sender: Sender, running: Running) -> None:
    before = running.log.text.count("refused")
    for _ in range(50):
        sender.send("pull_request", MERGED, x_hub_signature_256="sha256=" + "0" * 64)
    assert running.log.text.count("refused") <= before + 1


def test_a_delivery_that_was_refused_is_not_remembered(sender: Sender) -> None:
    delivery = "66666666-2222-3333-4444-555555555555"
    body = encoded(unique(pull_request("closed", merged=True)))
    wrong = sign(body, b"the secret of somebody else")
    refused = sender.send("pull_request", body, x_github_delivery=delivery, x_hub_signature_256=wrong)
    assert refused.status_code == 401
    answer = sender.send("pull_request", body, x_github_delivery=delivery)
    assert answer.json() == {"message": "looking"}
