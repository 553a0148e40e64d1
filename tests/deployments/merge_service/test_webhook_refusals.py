"""What is not a delivery of ours: refused with a reason, remembered nowhere, and written to no log."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Iterator

import httpx
import pytest

from deployments.merge_service.webhook import MAX_BODY
from tests.deployments.merge_service.conftest import SECRET, Log, Looks, Sender, serving, sign
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
        pytest.param("push", encoded(push("refs/heads/master") | {"ref": 1}), id="a ref that is a number"),
        pytest.param("push", MERGED, id="the payload of the other event"),
        pytest.param("pull_request", encoded(push("refs/heads/master")), id="the other way round"),
        pytest.param("pull_request", encoded(pull_request("closed") | {"action": None}), id="no action"),
    ],
)
def test_a_signed_body_that_github_would_not_send_is_400(sender: Sender, event: str, body: bytes) -> None:
    assert sender.send(event, body).status_code == 400
    assert sender.looked_at() == []


def test_a_body_that_says_it_is_too_large_is_413(sender: Sender) -> None:
    # Said before anything of it is sent.
    connection = http.client.HTTPConnection(
        sender.client.base_url.host, sender.client.base_url.port, timeout=30
    )
    connection.putrequest("POST", "/webhook")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(MAX_BODY + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
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
    except (OSError, httpx.TransportError):
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


def test_nothing_of_a_request_gets_into_the_log(connected: None, caplog: pytest.LogCaptureFixture) -> None:
    good = encoded(pull_request("closed", merged=True))
    delivery = "11111111-2222-3333-4444-555555555555"
    with serving(Looks(), Log()) as service:
        service.looks.wait_for(1)
        _send_marked(Sender(service.url, Looks()), good, delivery)
    written = service.log.text + caplog.text
    assert "checking operate-first/apps" in written
    assert "refused" not in written, "strangers could fill the log"
    for part in ("marked", "must stay out", "reviewer", delivery, sign(good).removeprefix("sha256=")):
        assert part not in written


def test_a_service_that_only_polls_looks_and_takes_no_delivery(connected: None, log: Log) -> None:
    with serving(Looks(), log, secret=None) as service:
        service.looks.wait_for(1)
        for key in (b"", SECRET):
            headers = {"content-type": "application/json", "x-hub-signature-256": sign(MERGED, key)}
            answer = httpx.post(f"{service.url}/webhook", content=MERGED, headers=headers, trust_env=False)
            assert answer.status_code == 404
        assert service.looks.asked == [None]
        assert service.health.status_code == 200
