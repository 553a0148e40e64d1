"""Prefect as a team runs it: PostgreSQL, messaging over Redis' protocol, two API servers, two workers.

The interface is that of `PrefectServer`; its address is that of a load balancer before both API servers. Each
server can be ended and started again by its name.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.ports import LOOPBACK, free_port
from sandbox.postgresql import PostgreSQL
from sandbox.prefect_server import START_SECONDS, WORK_POOL, PrefectServer
from sandbox.processes import http_answers
from sandbox.valkey import Valkey

REPLICAS = ("prefect-api-1", "prefect-api-2")
SERVICES = "prefect-services"


class DistributedPrefect(PrefectServer):
    """A whole installation of Prefect on 127.0.0.1 with the work pool ``enablement``.

    Attributes:
        database, messaging: its PostgreSQL and its Valkey; either may be stopped and started.
    """

    workers = ("worker-1", "worker-2")

    def __init__(self, state_directory: Path, port: int = 0, **environment: str) -> None:
        self.database = PostgreSQL(state_directory / "postgresql")
        self.messaging = Valkey(state_directory / "valkey")
        super().__init__(
            state_directory,
            port,
            **{
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database.url,
                # Two servers that start at once on an empty database would both make its tables.
                "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
                # On a busy machine Prefect's five seconds may pass, and a service whose first question to the
                # database fails never runs, and says so nowhere.
                "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
                "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
                "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
                "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
                "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
                "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
                "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
                "PREFECT_REDIS_MESSAGING_URL": f"{self.messaging.url}/0",
                # Does not know the URL above, and would ask localhost for ever.
                "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": f"{self.messaging.url}/0",
                "PREFECT_SERVER_DOCKET_URL": f"{self.messaging.url}/1",
                # What a server answers while it cannot reach its database; clients repeat 503 by themselves.
                "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
                **environment,
            },
        )
        self._ports = {name: free_port() for name in REPLICAS}

    def begin(self) -> None:
        """Start everything but the second server, without waiting for the first."""
        self.messaging.start()
        self.database.start()
        self._run("server", "database", "upgrade", "-y", environment=self.environment)
        self.start_part(REPLICAS[0])
        self.start_part(SERVICES)
        ports = map(str, (self.port, *self._ports.values()))
        self._supervisor.start(
            "load-balancer",
            [sys.executable, "-m", "sandbox.load_balancer", *ports],
            environment=self.environment,
        )

    def wait_until_ready(self) -> None:
        """Wait until both servers answer, and make the work pool."""
        # One after the other: the first puts the types of Blocks into an empty database, and of two that do
        # so at the same time one ends.
        self.wait_for_replica(REPLICAS[0])
        self.start_part(REPLICAS[1])
        self.wait_for_replica(REPLICAS[1])
        self.api.create_work_pool(WORK_POOL)

    def stop(self) -> None:
        """End everything; what needs the database before the database."""
        super().stop()
        self.messaging.stop()
        self.database.stop()

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

    def stop_part(self, name: str) -> None:
        """End one of `REPLICAS`, or `SERVICES`, as an administrator does: SIGTERM."""
        self._supervisor.stop(name)

    def kill_part(self, name: str) -> None:
        """End one of `REPLICAS`, or `SERVICES`, as a crash of its machine does: SIGKILL."""
        self._supervisor.kill(name)
