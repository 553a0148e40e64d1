"""A wire between a process and its Prefect server, which does something when something in particular passes.

For tests that end a process at one moment of its talk with the server, or let something else happen in that
moment, or have the server be busy. Bytes pass unchanged.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Self

from sandbox.ports import LOOPBACK

_CHUNK = 65536
BUSY, DATABASE_AWAY, TOO_LARGE = (
    b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    % status
    for status in (b"503 Service Unavailable", b"500 Internal Server Error", b"413 Content Too Large")
)
AWAY = b""
"""The connection ends without an answer."""


def answer_of(content: object) -> bytes:
    """What the server would send with 200."""
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


Strike = Callable[[socket.socket, socket.socket, bytes], bool]
"""What is done with a request: client, server, and the last bytes; returns whether the connection goes on."""


class Wire:
    """Listens on a port of its own; a context manager.

    Attributes:
        left: what is still to be struck: signs of a request, and what is done with it.
        struck: set once a request was.
    """

    def __init__(self, server_port: int) -> None:
        self._server = (LOOPBACK, server_port)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.api_url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}/api"
        self.left: list[tuple[tuple[bytes, ...], Strike]] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.struck = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._released.set()

    def once(self, *signs: bytes, act: Callable[[], None], pass_on: bool) -> None:
        """Act when a request carries all signs; it is never answered.

        Args:
            signs: parts of one request: ``b"set_state"``, ``b'"PENDING"'``.
            act: what to do, once.
            pass_on: whether the request still reaches the server, before ``act``.
        """

        def strike(_client: socket.socket, server: socket.socket, chunk: bytes) -> bool:
            if pass_on:
                server.sendall(chunk)
                server.recv(_CHUNK)  # answered, so it was carried out
            act()
            self.struck.set()
            return False

        self._when(signs, strike)

    def hold(self, *signs: bytes) -> None:
        """Keep back the first request that carries all signs until `release`; ``struck``: it has come."""

        def strike(_client: socket.socket, server: socket.socket, chunk: bytes) -> bool:
            self.struck.set()
            self._released.wait()
            server.sendall(chunk)
            return True

        self._when(signs, strike)

    def release(self) -> None:
        """Let the request go on that is held."""
        self._released.set()

    def refuse(self, *signs: bytes, times: int, answer: bytes = BUSY) -> None:
        """Do not pass on the first requests that carry all signs; answer them, or end their connection."""

        def strike(client: socket.socket, _server: socket.socket, _chunk: bytes) -> bool:
            client.sendall(answer)
            self.struck.set()
            return False

        self._when(signs, strike, times)

    def _when(self, signs: tuple[bytes, ...], strike: Strike, times: int = 1) -> None:
        with self._lock:
            self.left += [(signs, strike)] * times

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        # Head and body of a request may come in two pieces: the piece before is looked at too.
        before = b""
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                strike = self._of(before + chunk) if asking else None
                if strike is None:
                    target.sendall(chunk)
                elif not strike(source, target, chunk):
                    break
                before = chunk
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _of(self, request: bytes) -> Strike | None:
        with self._lock:
            for place, (signs, strike) in enumerate(self.left):
                if all(sign in request for sign in signs):
                    del self.left[place]
                    return strike
            return None
