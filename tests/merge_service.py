"""The merge service as a process of its own, started with the documented command."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import requests

from sandbox.certificates import write_private
from sandbox.environment import CHECKOUT
from sandbox.github_api import Webhook
from sandbox.log_check import KNOWN
from sandbox.ports import ANSWER_SECONDS, free_port
from sandbox.prefect_server import PrefectServer
from sandbox.processes import Supervisor, http_answers

SECRET = "the secret of GitHub and service"
NEVER = 3600.0
"""Seconds between two looks that nobody asks for: longer than any test."""

EXPECTED = (
    *KNOWN,
    (r"\| ERROR +\| (Flow|Task) run '", "a test makes a run fail, and looks itself at what the run says"),
    (r"IntegrityError: disk full", "a test has the server's database refuse a report"),
    (r"HeaderParsingError", "a test cuts an answer off in its head, and urllib3 says so"),
    (r"\| prefect\.(engine|runner)", "a test kills a run's process, or deletes the run below it"),
    (
        r"\| prefect\.[\s\S]*(ObjectNotFound|Flow run with id \S+ not found)",
        "a test deletes a run that a worker has taken up already",
    ),
    (
        r"dropping \d+ events[\s\S]*NOT NULL constraint failed: events\.occurred",
        "a test restarts the server, which is told again of events that it has; Prefect 3.9.1 on SQLite then "
        "writes an empty row in their place, fails, and drops them",
    ),
    (r"WebSocketDisconnect", "a test kills a worker, and the server logs that its channel is gone"),
)
"""Errors in the logs of the session's processes, each with the reason why it is none of ours."""

_NAME = "merge-service"
_START_SECONDS = 180.0


class Service:
    """The process; may be stopped and started again on the same state.

    Attributes:
        directory: everything that it leaves behind.
        secret: of the webhook.
        secret_file: where it reads that from (0600); None where it gets it in its environment.
        url: where it listens.
        log_file: standard output and error.
    """

    def __init__(
        self, server: PrefectServer, directory: Path, secret: str = SECRET, *, secret_in_file: bool = False
    ) -> None:
        self.directory = directory
        self.secret = secret
        self.secret_file: Path | None = None
        self._server = server
        self._port = free_port()
        self._supervisor = Supervisor(directory / "logs")
        self.url = f"http://127.0.0.1:{self._port}"
        self.log_file = self._supervisor.logs / f"{_NAME}.log"
        if secret_in_file:
            self.secret_file = write_private(directory / "webhook-secret", f"{secret}\n")

    @property
    def webhook(self) -> Webhook:
        """What GitHub is told."""
        return Webhook(f"{self.url}/webhook", self.secret)

    def start(self, interval: float = NEVER, **variables: str) -> None:
        """Returns once it has looked for the first time.

        Args:
            interval: seconds between two looks that nobody asks for.
            variables: of its environment, which it has otherwise than the server's other processes.
        """
        environment = {**self._server.environment, **variables}
        secret: tuple[str, ...] = ()
        if self.secret_file:
            secret = ("--webhook-secret-file", str(self.secret_file))
        else:
            environment["MERGE_SERVICE_WEBHOOK_SECRET"] = self.secret
        self._supervisor.start(
            _NAME,
            [
                *(sys.executable, "-m", "deployments.merge_service", "--port", str(self._port)),
                *("--interval", str(interval)),
                *secret,
            ],
            environment=environment,
            directory=CHECKOUT,
            ready=http_answers(f"{self.url}/healthz"),
            within=_START_SECONDS,
            grace=10.0,
        )

    def stop(self) -> None:
        self._supervisor.stop(_NAME)

    def stop_all(self) -> None:
        self._supervisor.stop_all()

    def has_looked_since(self, moment: float) -> bool:
        """Whether a look has ended well since a moment of `time.monotonic`."""
        health = requests.get(f"{self.url}/healthz", timeout=ANSWER_SECONDS).json()
        return time.monotonic() - float(health["last_success"]) > moment

    @property
    def log(self) -> str:
        return self.log_file.read_text()
