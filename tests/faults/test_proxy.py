"""The failing proxy itself: it strikes what it says, and lets the rest through as it is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.faults.faults import FLOOD, RETRY_AFTER, Decide, Fault, Point, Script, once
from tests.faults.proxy import Proxy, Server


class Behind(BaseHTTPRequestHandler):
    """Counts, by adding up what it was sent."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012 - one for all connections

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nobody reads it."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append(f"{self.path} {sent}")
        body = json.dumps({"data": sent, "asked": len(self.asked)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    """A server through the proxy."""
    Behind.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with Proxy(Server(f"http://127.0.0.1:{server.server_port}", None, lambda _path: "Vault"), script) as made:
        yield made.url
    server.shutdown()
    thread.join()
    server.server_close()


def post(url: str, path: str = "/v1/sys/auth", body: str = "x") -> requests.Response:
    return requests.post(url + path, data=body, timeout=10)


def strike(fault: Fault) -> Decide:
    return once({"Vault: POST sys/auth": fault})


def test_undisturbed_all_pass_and_are_counted_in_their_order(url: str, script: Script) -> None:
    assert post(url).json() == {"data": "x", "asked": 1}
    post(url, "/v1/sys/mounts?list=true")
    post(url)
    assert [str(point) for point in script.seen] == [
        "Vault: POST sys/auth",
        "Vault: POST sys/mounts",
        "Vault: POST sys/auth (number 2)",
    ]
    assert script.struck == []
    assert len(Behind.asked) == 3


def test_only_the_one_that_is_named_is_struck(url: str, script: Script) -> None:
    script.begin(lambda place, _point: Fault.BROKEN if place == 1 else None)
    assert [post(url).status_code for _ in range(3)] == [200, 500, 200]
    assert script.struck == [(Point("Vault", "POST", "sys/auth", 2), Fault.BROKEN)]
    assert len(Behind.asked) == 2


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault.TOO_MANY, 429, {"errors": ["too many requests"]}),
        (Fault.SEALED, 503, {"errors": ["Vault is sealed"]}),
        (Fault.BEHIND, 412, {"errors": ["required index state not present"]}),
        (Fault.NOT_FOUND, 404, {"errors": []}),
    ],
)
def test_a_refusal_never_reaches_the_server(
    url: str, script: Script, fault: Fault, status: int, body: dict[str, object]
) -> None:
    script.begin(strike(fault))
    answer = post(url)
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers.get("Retry-After") == (str(RETRY_AFTER) if status == 429 else None)
    assert Behind.asked == []


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_HEAD])
def test_a_cut_answer_breaks_off_although_the_server_has_done_it(
    url: str, script: Script, fault: Fault
) -> None:
    script.begin(strike(fault))
    if fault is Fault.CUT:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            post(url)
    else:
        # To the library it is a whole answer without a body: that is why it is a kind of its own.
        assert (post(url).status_code, script.struck[0][1]) == (200, fault)
    assert len(Behind.asked) == 1


def test_a_flood_and_broken_json_come_after_the_server_has_done_it(url: str, script: Script) -> None:
    script.begin(strike(Fault.FLOOD))
    assert len(post(url).content) > FLOOD
    script.begin(strike(Fault.GARBLED))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        post(url).json()
    assert len(Behind.asked) == 2


@pytest.mark.parametrize(("fault", "done"), [(Fault.KILL_BEFORE, 0), (Fault.KILL_AFTER, 1)])
def test_the_client_is_killed_before_or_after_the_server_has_done_it(
    url: str, script: Script, fault: Fault, done: int
) -> None:
    killed: list[tuple[str, int]] = []
    script.begin(strike(fault))

    def known_late() -> None:
        time.sleep(0.1)
        script.kill_by(lambda system: killed.append((system, len(Behind.asked))))

    late = threading.Thread(target=known_late)
    late.start()
    with pytest.raises(requests.exceptions.ConnectionError):
        post(url)
    late.join()
    assert killed == [("Vault", done)]
    assert len(Behind.asked) == done
