"""Somebody with Prefect's UI: starts runs, looks at them, presses buttons."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.enable_cluster import enable_cluster
from sandbox.prefect_server import PrefectServer
from tests import processes
from tests.run import Run

_PATIENCE = 180.0
"""Seconds until a state that should come is given up; a run takes a few seconds on a quiet machine."""


class Engineer:
    """Beside a worker, which executes the runs."""

    def __init__(self, server: PrefectServer) -> None:
        self.server = server
        self.api = server.api

    def start(self, deployment: str, parameters: dict[str, Any] | None = None) -> str:
        """Create a run; returns its id."""
        return self.api.create_flow_run(deployment, parameters)

    def execute(self, run: str) -> None:
        """Have a run that is scheduled executed: a worker does."""

    def await_state(self, run: str, *names: str) -> str:
        """Wait until the run is in one of these states, or in another that it does not leave by itself."""
        final = {"Completed", "Failed", "Crashed", "Cancelled", "Suspended"}
        deadline = time.monotonic() + _PATIENCE
        while True:
            state: str = self.api.flow_run(run)["state"]["name"]
            if state in names or (state in final and not self._was_suspended(run, state, names)):
                return state
            assert time.monotonic() < deadline, f"still {state}: {self.log(run)}"
            time.sleep(0.3)

    def _was_suspended(self, run: str, state: str, names: tuple[str, ...]) -> bool:
        # Waiting for what follows the gate: somebody else is about to wake the run.
        return state == "Suspended" and "Suspended" not in names

    def log(self, run: str) -> str:
        """The run's log, and what it ended with."""
        lines = [entry["message"] for entry in self.api.logs(run)]
        return "\n".join([*lines, str(self.api.flow_run(run)["state"].get("message"))])

    def said(self, run: str, words: str, times: int = 1) -> bool:
        """Whether the run's log comes to hold these words, at least so often: it is delivered in batches."""
        deadline = time.monotonic() + _PATIENCE
        while self.log(run).count(words) < times:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def artifact(self, run: str, key: str) -> str:
        """The newest version of an artifact of the run."""
        return str([one["data"] for one in self.api.artifacts(run) if one["key"] == key][-1])


class WithoutWorker(Engineer):
    """Executes runs of `enable-cluster` in this process, or in one that has imported everything."""

    def __init__(self, server: PrefectServer) -> None:
        super().__init__(server)
        with get_client(sync_client=True) as client:
            client.create_deployment(client.create_flow(enable_cluster), name="without-worker")

    def start(self, deployment: str, parameters: dict[str, Any] | None = None) -> str:
        return super().start(f"{deployment.partition('/')[0]}/without-worker", parameters)

    def execute(self, run: str) -> None:
        # A thread has no loop yet; nor has it these settings, where a test asks for this in one of its own.
        with temporary_settings({PREFECT_API_URL: self.server.api_url}), ThreadPoolExecutor(1) as thread:
            thread.submit(copy_context().run, asyncio.run, Run(enable_cluster, UUID(run)).go()).result()

    def begin(self, run: str, api_url: str) -> BaseProcess:
        """Start a process for it that asks Prefect at this address; nobody waits for it."""
        with temporary_settings({PREFECT_API_URL: api_url}):
            (started,) = processes.start([Run(enable_cluster, UUID(run))])
        return started
