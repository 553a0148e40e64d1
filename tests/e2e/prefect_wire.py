"""A wire between a worker and its Prefect server, which tells when something in particular passes.

For tests that end a process at one moment of its talk with the server. Bytes pass unchanged.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from deployments.sandbox.ports import LOOPBACK

_CHUNK = 65536


class Wire:
    """Listens on a port of its own; a context manager."""

    def __init__(self, server_port: int) -> None:
        self._server = (LOOPBACK, server_port)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.api_url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}/api"
        self._sign: tuple[bytes, ...] = ()
        self._act: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.struck = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def once(self, *signs: bytes, act: Callable[[], None], pass_on: bool) -> None:
        """Act when a request carries all signs.

        Args:
            signs: parts of one request: ``b"set_state"``, ``b'"PENDING"'``.
            act: what to do, once.
            pass_on: whether the request still reaches the server, before ``act``.
        """
        self._pass_on = pass_on
        self._act = act
        self._sign = signs

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
                if asking and self._is_it(before + chunk):
                    self._strike(target, chunk)
                    break
                target.sendall(chunk)
                before = chunk
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _is_it(self, request: bytes) -> bool:
        with self._lock:
            if self._act is None or not all(sign in request for sign in self._sign):
                return False
            self._sign = (b"\0 never again",)
            return True

    def _strike(self, target: socket.socket, chunk: bytes) -> None:
        assert self._act is not None
        if self._pass_on:
            target.sendall(chunk)
            target.recv(_CHUNK)  # answered, so it was carried out
        self._act()
        self.struck.set()
