"""The merge service as a process of its own, started with the documented command."""

from __future__ import annotations

import sys
from pathlib import Path

from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.ports import free_port
from deployments.sandbox.prefect_server import PrefectServer
from deployments.sandbox.processes import Supervisor, http_answers

SECRET = "the secret of GitHub and service"
NEVER = 3600.0
"""Seconds between two looks that nobody asks for, or in Pending: longer than any test."""

_START_SECONDS = 180.0


class Service:
    """The process; may be stopped and started again on the same state."""

    def __init__(self, server: PrefectServer, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._port = free_port()
        self._supervisor = Supervisor(directory / "logs")
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self, interval: float = NEVER, pending_limit: float = NEVER) -> None:
        self._supervisor.start(
            "merge-service",
            [
                *(sys.executable, "-m", "deployments.merge_service", "--port", str(self._port)),
                *("--state-directory", str(self._directory / "state")),
                *("--interval", str(interval), "--pending-limit", str(pending_limit)),
            ],
            environment={**self._server.environment, "MERGE_SERVICE_WEBHOOK_SECRET": SECRET},
            directory=CHECKOUT,
            ready=http_answers(f"{self.url}/healthz"),
            within=_START_SECONDS,
            grace=10.0,
        )

    def stop(self) -> None:
        self._supervisor.stop("merge-service")

    def stop_all(self) -> None:
        self._supervisor.stop_all()

    @property
    def log(self) -> str:
        return (self._supervisor.logs / "merge-service.log").read_text()
