"""A real Prefect server with its UI, and process workers: as in production, only on this machine and quick.

What makes it quick, seen on a machine with two cores:

- A database that was migrated once is kept and copied (`_MigratedDatabase`): the migrations of an empty one
  take as long as the rest of the start.
- ``PREFECT_WORKER_QUERY_SECONDS=1``: a run starts about a second after its creation or its resume, instead
  of up to fifteen.
- ``command: python -m prefect.engine`` in prefect.yaml: one process a run instead of two.

Together: 4 s from the creation of a run to its first line, 7 s without the last one, and up to 14 s with
none of them. The server's own services run as in production.
"""

from __future__ import annotations

import importlib.metadata
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.environment import CHECKOUT, clean_environment
from sandbox.ports import LOOPBACK, free_port
from sandbox.prefect_api import PrefectApi
from sandbox.processes import Started, Supervisor, http_answers, output_of

USUAL_PORT = 4200
WORK_POOL = "enablement"
_SERVER = "prefect-server"
# Far above what it takes, for machines that are busy with other things.
START_SECONDS = 300.0
_COMMAND_SECONDS = 300.0
_CACHE = CHECKOUT / ".sandbox" / "cache"


class _MigratedDatabase:
    """An empty Prefect database with all migrations of the installed version."""

    def __init__(self, cache: Path) -> None:
        self._file = cache / f"prefect-{importlib.metadata.version('prefect')}.db"

    def copy_to(self, database: Path) -> bool:
        """Put a copy where a new server looks for its database; False if there is none yet."""
        if not self._file.exists():
            return False
        self._copy(self._file, database)
        return True

    def remember(self, database: Path) -> None:
        """Keep the database of a server that has just started for the first time."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._file.parent) as directory:
            draft = Path(directory) / "draft.db"
            self._copy(database, draft)
            draft.replace(self._file)  # complete or not at all, also when two servers do this at once

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        # Through SQLite, because a running server keeps what is new in a second file.
        reader, writer = sqlite3.connect(source), sqlite3.connect(target)
        try:
            reader.backup(writer)
        finally:
            reader.close()
            writer.close()


class PrefectServer(Started):
    """A Prefect server on 127.0.0.1 with the work pool ``enablement``.

    Attributes:
        workers: names of those that an installation of this kind has.
        api_url, ui_url: where API and UI are.
        api: the REST client for it.
        environment: of every process that talks to it, workers included.
        logs: directory with a file for the server and one for each worker.
    """

    workers: tuple[str, ...] = ("worker",)

    def __init__(self, state_directory: Path, port: int = 0, **environment: str) -> None:
        """
        Args:
            state_directory: for database, results and logs.
            port: the wanted one; another free one is taken if it is not free, or is 0.
            environment: more variables for server, workers and `deploy`.
        """
        self._directory = state_directory.resolve()
        self.logs = self._directory / "logs"
        self._supervisor = Supervisor(self.logs)
        self._database = _MigratedDatabase(_CACHE)
        self.port = free_port(port)
        self.ui_url = f"http://{LOOPBACK}:{self.port}"
        self.api_url = f"{self.ui_url}/api"
        self.api = PrefectApi(self.api_url, environment.get("PREFECT_API_AUTH_STRING", ""))
        self.environment = clean_environment(
            self._directory / "home",
            **{
                "PREFECT_API_URL": self.api_url,
                "PREFECT_SERVER_API_HOST": LOOPBACK,
                "PREFECT_SERVER_API_PORT": str(self.port),
                "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
                # The server copies its UI on each start; by default into site-packages, shared by all.
                "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self._directory / "ui"),
                "PREFECT_WORKER_QUERY_SECONDS": "1",
                # Where prefect.yaml's pull step finds the flows.
                "ENABLEMENT_CHECKOUT": str(CHECKOUT),
                **environment,
            },
        )

    def start(self) -> None:
        """Start the server, and wait until it can be used."""
        self.begin()
        self.wait_until_ready()

    def begin(self) -> None:
        """Start the server without waiting for it."""
        home = Path(self.environment["PREFECT_HOME"])
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = home / "prefect.db"
        self._is_new = not database.exists() and not self._database.copy_to(database)
        self._supervisor.start(_SERVER, [self._prefect, "server", "start"], environment=self.environment)

    def wait_until_ready(self) -> None:
        """Wait until it answers, and make the work pool."""
        self._supervisor.wait_until(
            http_answers(f"{self.api_url}/health"), START_SECONDS, "the Prefect server to answer"
        )
        if self._is_new:
            self._database.remember(Path(self.environment["PREFECT_HOME"]) / "prefect.db")
        self.api.create_work_pool(WORK_POOL)

    def restart(self) -> None:
        """End the server as its machine's restart does, and start it again on the same database and port."""
        self._supervisor.stop(_SERVER)
        self.start()

    def stop(self) -> None:
        """End server and workers, and the flow runs that they are executing."""
        self._supervisor.stop_all()

    def check(self) -> None:
        """Raise `SandboxError` if the server or a worker has ended by itself."""
        self._supervisor.check()

    def start_worker(
        self, name: str = "worker", *, wait: bool = True, limit: int | None = None, **environment: str
    ) -> None:
        """Start a process worker of the pool.

        Args:
            name: of the worker.
            wait: until the server sees it online.
            limit: how many runs it executes at once; any number if not given.
            environment: variables that it and its flow runs have otherwise than `environment` says.

        Raises:
            SandboxError: it is not online in time.
        """
        command = [self._prefect, "worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", name]
        if limit is not None:
            command += ["--limit", str(limit)]
        # A flow run that ends by SIGTERM needs a moment to say so.
        changed = {**self.environment, **environment}
        self._supervisor.start(name, command, environment=changed, directory=CHECKOUT, grace=10.0)
        if wait:
            self.wait_for_worker(name)

    def start_workers(self) -> None:
        """Start all of `workers` without waiting for them."""
        for name in self.workers:
            self.start_worker(name, wait=False)

    def wait_for_workers(self) -> None:
        """Wait until the server sees all of `workers` online."""
        for name in self.workers:
            self.wait_for_worker(name)

    def wait_for_worker(self, name: str = "worker") -> None:
        """Wait until the server sees the worker online."""
        self._supervisor.wait_until(self._is_online(name), START_SECONDS, f"{name} to be online")

    def stop_worker(self, name: str = "worker") -> None:
        """End a worker as a deployment of a new version does: SIGTERM."""
        self._supervisor.stop(name)

    def kill_worker(self, name: str = "worker") -> None:
        """End a worker and its flow runs as a crash of its machine does: SIGKILL."""
        self._supervisor.kill(name)

    def deploy(self, directory: Path = CHECKOUT) -> str:
        """``prefect --no-prompt deploy --all`` in a directory with a ``prefect.yaml``; returns its output.

        Raises:
            SandboxError: with its output, when it fails.
        """
        environment = {**self.environment, "PYTHONPATH": str(directory)}
        # As on a machine that deploys but does not run: the pull step is then resolved by the worker.
        del environment["ENABLEMENT_CHECKOUT"]
        return self._run("--no-prompt", "deploy", "--all", environment=environment, directory=directory)

    def run_url(self, flow_run: str) -> str:
        """The run's page in the UI."""
        return f"{self.ui_url}/runs/flow-run/{flow_run}"

    def _run(self, *arguments: str, environment: Mapping[str, str], directory: Path = CHECKOUT) -> str:
        return output_of([self._prefect, *arguments], environment, directory, _COMMAND_SECONDS)

    @property
    def _prefect(self) -> str:
        return os.fspath(Path(sys.executable).with_name("prefect"))

    def _is_online(self, name: str) -> Callable[[], bool]:
        def condition() -> bool:
            workers = self.api.workers(WORK_POOL)
            return any(worker["name"] == name and worker["status"] == "ONLINE" for worker in workers)

        return condition
