"""Clients that send nothing, or never an end, must not keep out those that do.

uvicorn closes a connection that stays idle after an answer, and no other: one on which nothing was ever sent,
or a head or body byte by byte, stays open as long as its client likes, and its ``limit_concurrency`` answers
503 to everybody while there are many of those. So each connection has a deadline for its next step (the head
of a request, then the end of the answer), and when there are too many, the one whose client has been waited
for longest makes room for the new one. Whoever sends a request in one go is never that one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from deployments.merge_service.quiet_log import QuietLog

MOST_CONNECTIONS = 256
"""At the same time. Far below the 1024 open files that a process may have by default."""
MOST_BYTES = 64 * 2**20
"""Of bodies that are not complete, together: what nobody has signed yet may take no more of the memory."""


class Clients:
    """Whoever is connected."""

    def __init__(self, patience: float, log: logging.Logger) -> None:
        """
        Args:
            patience: seconds until the head of a request is there, and from then until it is answered and the
                answer is taken.
            log: for that there are too many.
        """
        self.patience = patience
        self._connected: set[PatientProtocol] = set()
        self._log = QuietLog(log)

    def add(self, connection: PatientProtocol) -> None:
        """A connection was opened; whichever is one too many is closed."""
        self._connected.add(connection)
        if len(self._connected) > MOST_CONNECTIONS:
            waiting = [one for one in self._connected if one.waits_for_client and one is not connection]
            if waiting:
                min(waiting, key=lambda one: one.since).give_up()
                self._log.warning(f"More than {MOST_CONNECTIONS} connections: closed the longest idle.")

    def make_room(self) -> None:
        """Something arrived; when it is too much together, the connection with most of it is closed."""
        if sum(one.held for one in self._connected) > MOST_BYTES:
            waiting = [one for one in self._connected if one.waits_for_client]
            if waiting:
                max(waiting, key=lambda one: one.held).give_up()
                self._log.warning(f"More than {MOST_BYTES} bytes of unfinished bodies: closed the largest.")

    def remove(self, connection: PatientProtocol) -> None:
        """A connection is over. May be told several times."""
        self._connected.discard(connection)


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, with an end to its patience.

    Attributes:
        since: when what is awaited now began to be awaited, in seconds of the loop's clock.
        held: bytes that have arrived since the head of the request that is not answered yet.
    """

    def __init__(self, clients: Clients, *arguments: Any, **options: Any) -> None:
        """
        Args:
            clients: all of this server.
            arguments, options: uvicorn's.
        """
        super().__init__(*arguments, **options)
        self._clients = clients
        self._deadline: asyncio.TimerHandle | None = None
        self.since = 0.0
        self.held = 0

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to send a request or the rest of one, or to take the answer."""
        request = self.cycle
        return request is None or request.response_complete or request.more_body or self.flow.write_paused

    def give_up(self) -> None:
        """Close the connection now, whatever the client has not sent or not taken."""
        self._clients.remove(self)
        # close() would wait until the client has taken the rest of the answer.
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_waiting()
        self._clients.add(self)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # the head is complete
            self._start_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            self.held += len(data)
            self._clients.make_room()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._start_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._clients.remove(self)
        super().connection_lost(exc)

    def _start_waiting(self) -> None:
        self._stop_waiting()
        self.since, self.held = self.loop.time(), 0
        self._deadline = self.loop.call_later(self._clients.patience, self.give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
