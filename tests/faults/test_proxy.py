"""The failing proxy itself: it strikes what it says, and lets the rest through as it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.faults.faults import FLOOD, KILLS, RETRY_AFTER, Fault, Point, Script
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


@pytest.mark.parametrize("fault", Fault)
def test_what_reaches_the_server_is_done_and_the_client_does_not_learn_it(
    url: str, script: Script, fault: Fault
) -> None:
    killed: list[str] = []
    script.begin(lambda place, _point: fault if place == 1 else None)
    script.kill_by(killed.append)
    assert post(url).json()["asked"] == 1
    try:
        answer = post(url)
    except requests.exceptions.ConnectionError:
        assert (fault in KILLS, killed) == (True, ["Vault"])
    except requests.exceptions.ChunkedEncodingError:
        assert fault is Fault.CUT
    else:
        # To the library an answer that is cut in its head is a whole one without a body.
        assert fault.reaches_the_server is (answer.status_code == 200)
        assert "asked" not in answer.text or fault is Fault.GARBLED
        assert answer.headers.get("Retry-After") == (str(RETRY_AFTER) if fault is Fault.TOO_MANY else None)
        if fault is Fault.FLOOD:
            assert len(answer.content) > FLOOD
    assert script.struck == [(Point("Vault", "POST", "sys/auth", 2), fault)]
    assert len(Behind.asked) == 1 + fault.reaches_the_server
    assert post(url).status_code == 200
