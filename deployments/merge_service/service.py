"""The service as one thing: a socket, a web server's thread, the loop's thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from functools import partial
from types import TracebackType
from typing import Self, cast

import uvicorn

from deployments.merge_service.clients import MOST_CONNECTIONS, Clients, PatientProtocol
from deployments.merge_service.deliveries import SeenDeliveries
from deployments.merge_service.loop import Loop, Watcher
from deployments.merge_service.settings import Settings
from deployments.merge_service.stuck import StuckRuns
from deployments.merge_service.webhook import application

_START_SECONDS = 30.0
_STOP_SECONDS = 5
_KEEP_ALIVE_SECONDS = 15
_SEND_BUFFER = 32 * 2**10


class MergeService:
    """Listens and looks until it is stopped.

    Attributes:
        url: where it listens.
        loop: what looks.
    """

    def __init__(self, settings: Settings, watcher: Watcher, log: logging.Logger) -> None:
        """
        Args:
            settings: what to listen on, how often to look.
            watcher: `tasks.watch.Watch`.
            log: for everything that people should know.

        Raises:
            OSError: the port is taken, or the state directory cannot be used.
            sqlite3.Error: the file in it cannot be used.
        """
        self._log = log
        self._seen = SeenDeliveries(settings.state_directory / "deliveries.sqlite")
        self._socket = _listen(settings.host, settings.port)
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self.loop = Loop(
            watcher,
            StuckRuns(settings.pending_limit, log),
            interval=settings.interval,
            pause=settings.pause,
            log=log,
        )
        protocol = partial(PatientProtocol, Clients(settings.patience, log))
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(settings.secret, self._seen, self.loop, log),
                http=cast("type[asyncio.Protocol]", protocol),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                # The proxy in front may say who the client is; nothing here depends on it.
                proxy_headers=False,
                # 503 only if so many wait for us; those that we wait for are closed before.
                limit_concurrency=2 * MOST_CONNECTIONS,
                # As many are accepted in one go, before the first of them can be closed.
                backlog=MOST_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="webhook", daemon=True
        )

    def start(self) -> None:
        """Start both threads; returns when requests are answered.

        Raises:
            RuntimeError: they are not.
        """
        self.loop.start()
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                msg = f"the webhook does not answer on {self.url}"
                raise RuntimeError(msg)
            time.sleep(0.01)

    def is_alive(self) -> bool:
        """Whether both threads still work."""
        return self._thread.is_alive() and self.loop.is_alive

    def stop(self) -> None:
        """Answer what was asked, finish the look that is under way, and end."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
            if not self.loop.stop(_STOP_SECONDS):
                # Safe to leave: whatever it has not woken is found by the next look of anybody.
                self._log.warning("A look is still under way; it is left unfinished.")
        self._socket.close()
        self._seen.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Each connection's: an answer has some hundred bytes. By default whoever takes none fills megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
