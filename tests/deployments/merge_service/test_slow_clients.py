"""Clients that send nothing, or never an end: they keep nobody out, and do not stay."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from deployments.merge_service.clients import MOST_BYTES, MOST_CONNECTIONS
from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings
from deployments.merge_service.webhook import MAX_BODY
from tests.deployments.merge_service.conftest import Log, Looks, Sender, eventually, sign, unique
from tests.deployments.merge_service.payloads import encoded, pull_request

HALF_A_HEAD = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Ty"
HALF_A_BODY = (
    b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)
LARGE = MAX_BODY - 1
ALMOST_A_LARGE_BODY = HALF_A_BODY.replace(b": 100\r\n", f": {MAX_BODY}\r\n".encode()) + b" " * (LARGE - 1)


class Crowd:
    """Connections to a service that stay open until the end of the test."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port or 0)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self, count: int, sent: bytes = b"") -> list[socket.socket]:
        """Open so many more, each sending this and no more."""
        return [self._open(sent) for _ in range(count)]

    def _open(self, sent: bytes) -> socket.socket:
        connection = self._stack.enter_context(socket.socket())
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # soon full if nobody reads
        connection.connect(self._address)
        with contextlib.suppress(ConnectionError):  # it may be closed while it sends
            connection.sendall(sent)
        connection.setblocking(False)
        return connection


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has hung up; what it sent before is read."""
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


@dataclasses.dataclass
class Served:
    """A service with its looks, and somebody new who sends deliveries."""

    service: MergeService
    looks: Looks

    def assert_all_is_well(self) -> None:
        """Over new connections: the health is good, a signed delivery is taken and looked at."""
        with contextlib.closing(Sender(self.service.url, self.looks).client) as client:
            assert client.get("/healthz").status_code == 200
        sender = Sender(self.service.url, self.looks)
        with contextlib.closing(sender.client):
            assert sender.send("pull_request", pull_request("closed", merged=True)).json() == {
                "message": "looking"
            }
            assert sender.looked_at()


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@pytest.fixture
def serve(connected: None, settings: Settings, log: Log) -> Serve:
    @contextlib.contextmanager
    def serving(**changes: float) -> Iterator[Served]:
        looks = Looks()
        with MergeService(dataclasses.replace(settings, **changes), looks, log.logger) as service:  # type: ignore[arg-type]
            looks.wait_for(1)
            yield Served(service, looks)

    return serving


def test_two_hundred_idle_and_fifty_half_sent_requests_keep_nobody_out(serve: Serve) -> None:
    with serve() as served, Crowd(served.service.url) as crowd:
        crowd.join(200)
        crowd.join(25, HALF_A_HEAD)
        crowd.join(25, HALF_A_BODY)
        served.assert_all_is_well()


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["idle", "half a head", "half a body"])
def test_when_there_are_too_many_the_longest_idle_make_room(serve: Serve, log: Log, sent: bytes) -> None:
    with serve() as served, Crowd(served.service.url) as crowd:
        first = crowd.join(40, sent)
        crowd.join(MOST_CONNECTIONS, sent)
        eventually(lambda: all(map(is_closed, first)), lambda: f"{list(map(is_closed, first))}")
        served.assert_all_is_well()
    assert log.text.count("closed the longest idle") == 1


def test_a_request_that_is_being_answered_is_not_closed_for_others(serve: Serve, settings: Settings) -> None:
    body = encoded(unique(pull_request("closed", merged=True)))
    head = (
        "POST /webhook HTTP/1.1",
        "Host: x",
        "Expect: 100-continue",
        "Content-Type: application/json",
        "X-GitHub-Event: pull_request",
        f"X-GitHub-Delivery: {uuid.uuid4()}",
        f"X-Hub-Signature-256: {sign(body)}",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    with serve() as served, Crowd(served.service.url) as crowd:
        file = settings.state_directory / "deliveries.sqlite"
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("begin immediate")  # the delivery cannot be written down until this ends
            (first,) = crowd.join(1, "\r\n".join(head).encode())
            first.settimeout(30)
            assert first.recv(100).startswith(b"HTTP/1.1 100 ")  # so nobody was there before it
            first.sendall(body)
            others = crowd.join(MOST_CONNECTIONS)
            eventually(lambda: any(map(is_closed, others)), lambda: "nobody made room")
            database.execute("rollback")
        assert first.recv(100).startswith(b"HTTP/1.1 202 ")


@pytest.mark.long
def test_unfinished_bodies_do_not_fill_the_memory(serve: Serve, log: Log) -> None:
    with serve() as served, Crowd(served.service.url) as crowd:
        large = crowd.join(MOST_BYTES // LARGE + 5, ALMOST_A_LARGE_BODY)
        eventually(lambda: any(map(is_closed, large)), lambda: "none of the large ones was closed")
        served.assert_all_is_well()
    assert "unfinished bodies: closed the largest" in log.text


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["idle", "half a head", "half a body"])
def test_a_client_that_sends_no_more_is_hung_up_on(serve: Serve, sent: bytes) -> None:
    with serve(patience=0.2) as served, Crowd(served.service.url) as crowd:
        (connection,) = crowd.join(1, sent)
        eventually(lambda: is_closed(connection), lambda: "still open")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HALF_A_HEAD, id="in a head"),
        pytest.param(HALF_A_BODY.replace(b": 100\r\n", b": 1000000\r\n"), id="in a body"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET", id="after an answer"),
        pytest.param(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", id="after a refusal"),
    ],
)
def test_a_byte_now_and_then_buys_no_time(serve: Serve, sent: bytes) -> None:
    with serve(patience=0.2) as served, Crowd(served.service.url) as crowd:
        (connection,) = crowd.join(1, sent)

        def is_closed_while_sending() -> bool:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection.send(b"x")
            return is_closed(connection)

        eventually(is_closed_while_sending, lambda: "still open")


def test_a_client_that_takes_no_answer_is_hung_up_on(serve: Serve) -> None:
    with serve(patience=0.2) as served, Crowd(served.service.url) as crowd:
        (connection,) = crowd.join(1)

        def is_reset() -> bool:
            """Requests as long as they are taken; of the answers nothing is ever read."""
            try:
                connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            return False

        eventually(is_reset, lambda: "still open")
