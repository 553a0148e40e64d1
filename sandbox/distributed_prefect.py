"""Prefect as a team runs it: PostgreSQL, messaging over Redis' protocol, two API servers, two workers.

The interface is that of `PrefectServer`; its address is that of a load balancer before both API servers. Each
server can be ended and started again by its name.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
from pathlib import Path

from sandbox.ports import LOOPBACK, free_port
from sandbox.postgresql import PostgreSQL
from sandbox.prefect_server import CACHE, START_SECONDS, WORK_POOL, PrefectServer
from sandbox.processes import http_answers
from sandbox.valkey import Valkey

REPLICAS = ("prefect-api-1", "prefect-api-2")
SERVICES = "prefect-services"
_BALANCER = "load-balancer"


class DistributedPrefect(PrefectServer):
    """A whole installation of Prefect on 127.0.0.1 with the work pool ``enablement``.

    Attributes:
        database, messaging: its PostgreSQL and its Valkey.
        api_urls: of each replica; `api_url` leads to whichever takes a connection.
    """

    workers = ("worker-1", "worker-2")

    def __init__(
        self, state_directory: Path, port: int = 0, *, cache: Path = CACHE, **environment: str
    ) -> None:
        self.database = PostgreSQL(state_directory / "postgresql")
        self.messaging = Valkey(state_directory / "valkey")
        super().__init__(
            state_directory,
            port,
            cache=cache,
            **{
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database.url,
                # Two servers that start at once on an empty database would both make its tables.
                "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
                "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
                "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
                "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
                "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
                "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
                "PREFECT_REDIS_MESSAGING_URL": f"{self.messaging.url}/0",
                # Does not know the URL above, and would ask localhost for ever.
                "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": f"{self.messaging.url}/0",
                "PREFECT_SERVER_DOCKET_URL": f"{self.messaging.url}/1",
                **environment,
            },
        )
        self._ports = {name: free_port() for name in REPLICAS}
        self._kept = cache / f"postgresql-{importlib.metadata.version('prefect')}"

    def begin(self) -> None:
        """Start everything without waiting for the servers; an empty database is made ready before."""
        self.messaging.start()
        is_kept = self._kept.exists()
        if is_kept:
            self.database.take_data_from(self._kept)
        self.database.start()
        if not is_kept:
            self.migrate()
            self._register_blocks()
            self._keep_database()
        for name in (*REPLICAS, SERVICES):
            self.start_part(name)
        balancer = [sys.executable, "-m", "sandbox.load_balancer", str(self.port)]
        self._supervisor.start(
            _BALANCER, [*balancer, *map(str, self._ports.values())], environment=self.environment
        )

    def wait_until_ready(self) -> None:
        """Wait until all servers answer, and make the work pool."""
        for name in REPLICAS:
            self.wait_for_replica(name)
        self._supervisor.wait_until(
            http_answers(f"{self.api_url}/health"), START_SECONDS, "the load balancer to answer"
        )
        self.api.create_work_pool(WORK_POOL)

    def stop(self) -> None:
        """End everything; what needs the database before the database."""
        super().stop()
        self.messaging.stop()
        self.database.stop()

    def migrate(self) -> None:
        """``prefect server database upgrade -y``: the database as this version of Prefect wants it.

        Raises:
            SandboxError: with its output, when it fails.
        """
        self._run("server", "database", "upgrade", "-y", environment=self.environment)

    def start_part(self, name: str) -> None:
        """Start one of `REPLICAS`, or `SERVICES`, without waiting for it."""
        if name == SERVICES:
            arguments, port = ["services", "start"], self.port
        else:
            arguments, port = ["start", "--no-services"], self._ports[name]
        environment = {
            **self.environment,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self._directory / f"ui-of-{name}"),
        }
        self._supervisor.start(name, [self._prefect, "server", *arguments], environment=environment)

    def wait_for_replica(self, name: str) -> None:
        """Wait until one of `REPLICAS` answers."""
        url = f"http://{LOOPBACK}:{self._ports[name]}/api/health"
        self._supervisor.wait_until(http_answers(url), START_SECONDS, f"{name} to answer")

    def kill_part(self, name: str) -> None:
        """End one of `REPLICAS`, or `SERVICES`, as a crash of its machine does: SIGKILL."""
        self._supervisor.kill(name)

    def _register_blocks(self) -> None:
        """One replica alone puts the types of Blocks into the database; of two that do, one ends."""
        self.start_part(REPLICAS[0])
        self.wait_for_replica(REPLICAS[0])
        self._supervisor.stop(REPLICAS[0])

    def _keep_database(self) -> None:
        """Keep the data for the next installation, as `PrefectServer` does with SQLite's."""
        self.database.stop()
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._kept.parent) as directory:
            draft = Path(directory) / "data"
            self.database.copy_data_to(draft)
            if not self._kept.exists():  # another one may have been quicker
                draft.rename(self._kept)
        self.database.start()
