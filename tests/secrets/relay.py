"""A TCP relay that can keep a client waiting for ever, so that a test can kill it at a known moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

Hold = Callable[[bytes], bool]
"""Asked before bytes of a client go on, with no bytes when it has just connected: whether to keep them."""


class Relay:
    """Listens on a port of its own and passes everything on to the server at ``url``, TLS as it comes.

    Attributes:
        hold: see `Hold`; may be changed at any time.
        held: set once a client waits.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self.hold: Hold = lambda _chunk: False
        self.held = threading.Event()
        self._sockets: list[socket.socket] = [self._listener]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, name="relay", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        if self._keeps(b""):
            return
        with contextlib.suppress(OSError):
            server = socket.create_connection(self._target)
            self._sockets.append(server)
            self._start(self._pump, server, client)
            while chunk := client.recv(65536):
                if self._keeps(chunk):
                    return
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    def _keeps(self, chunk: bytes) -> bool:
        if not self.hold(chunk):
            return False
        self.held.set()
        return True
