"""Bytes to a server and the status of its answer, over a connection that is kept as long as it lasts."""

from __future__ import annotations

import contextlib
import re
import socket

_SECONDS = 15.0
_QUIET_SECONDS = 0.15


class Wire:
    """One connection at a time."""

    NO_ANSWER = 0
    """The server hung up, or waits for the rest of a request."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._connection: socket.socket | None = None

    def ask(self, request: bytes) -> int:
        """Send a request as it is; returns the status of the answer."""
        if self._connection is None:
            self._connection = socket.create_connection(self._address, timeout=_SECONDS)
        answer = b""
        with contextlib.suppress(OSError):
            self._connection.sendall(request)
            self._connection.settimeout(_QUIET_SECONDS if _is_unfinished(request) else _SECONDS)
            while b"\r\n\r\n" not in answer and (read := self._connection.recv(65536)):
                answer += read
            head, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(body) < int(length[1]) and (read := self._connection.recv(65536)):
                body += read
        # After a malformed request nobody knows where the next one begins.
        if not answer or b"connection: close" in answer.lower() or _is_unfinished(request):
            self.close()
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
        return int(status[1]) if status else self.NO_ANSWER

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_unfinished(request: bytes) -> bool:
    """Whether the server may rightly wait for more, because it says that it is longer than it is."""
    head, _, body = request.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        return not body.endswith(b"0\r\n\r\n")
    length = re.search(rb"content-length: (\d+)\r", head + b"\r")
    if not head.startswith(b"POST /webhook HTTP/1.1") or length is None:
        return True
    return length[1] != str(len(body)).encode()
