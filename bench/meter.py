"""Counts the bytes that a server answers, whatever it speaks: TCP is passed on as it comes."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65536


class Meter(socketserver.ThreadingTCPServer):
    """Passes TCP connections on to a server and counts the bytes that come back."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.target = (host, port)
        self._received = 0
        self._lock = threading.Lock()

    def count(self, received: int) -> None:
        """Add bytes."""
        with self._lock:
            self._received += received

    def take(self) -> int:
        """Bytes since the last time."""
        with self._lock:
            taken, self._received = self._received, 0
        return taken


class _Passage(socketserver.BaseRequestHandler):
    server: Meter
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as upstream:
            there = threading.Thread(target=self._pass, args=(self.request, upstream))
            there.start()
            self._pass(upstream, self.request, count=True)
            there.join()

    def _pass(self, source: socket.socket, sink: socket.socket, *, count: bool = False) -> None:
        try:
            while chunk := source.recv(_CHUNK):
                if count:
                    self.server.count(len(chunk))
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # Either side may hang up first; the other direction then ends as well.
            source.close()


@contextmanager
def metered(url: str) -> Iterator[tuple[str, Meter]]:
    """The same address behind a meter."""
    parts = urlsplit(url)
    with Meter(str(parts.hostname), int(parts.port or 80)) as meter:
        threading.Thread(target=meter.serve_forever, name="meter", daemon=True).start()
        host, port = meter.server_address[:2]
        yield urlunsplit(parts._replace(netloc=f"{host!s}:{port}")), meter
        meter.shutdown()
