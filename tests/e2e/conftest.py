"""A worker of its own, as in production: runs are created through Prefect's API and executed elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.prefect_server import PrefectServer
from deployments.sandbox.vault_server import VaultServer
from tests.e2e.merge_service import Service
from tests.e2e.waiting import AtTheGate
from tests.world import World, world_at

Start = Callable[..., AtTheGate]
"""Takes what differs from the usual parameters of a run."""

_PATIENCE = 180.0
"""Seconds until a state that should come is given up; a run takes a few seconds on a quiet machine."""


class Engineer:
    """Somebody with Prefect's UI: starts runs, looks at them, presses buttons."""

    def __init__(self, server: PrefectServer) -> None:
        self.server = server
        self.api = server.api

    def start(self, deployment: str, parameters: dict[str, Any] | None = None) -> str:
        """Create a run; returns its id."""
        return self.api.create_flow_run(deployment, parameters)

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

    def artifact(self, run: str, key: str) -> str:
        """The newest version of an artifact of the run."""
        return str([one["data"] for one in self.api.artifacts(run) if one["key"] == key][-1])


@pytest.fixture(scope="session")
def engineer(prefect_harness: PrefectServer) -> Iterator[Engineer]:
    """Everything deployed, and a process worker that runs it."""
    prefect_harness.deploy()
    prefect_harness.start_worker()
    yield Engineer(prefect_harness)
    prefect_harness.stop_worker()


@pytest.fixture
def world(engineer: Engineer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    with world_at(tmp_path, vault) as made:
        made.connect()
        yield made
        made.forget_runs_under_way()


@pytest.fixture
def service(engineer: Engineer, world: World, tmp_path: Path) -> Iterator[Service]:
    """The merge service, not started yet."""
    made = Service(engineer.server, tmp_path / "service")
    yield made
    made.stop_all()


@pytest.fixture
def start(engineer: Engineer, world: World, tmp_path: Path) -> Start:
    """Starts a run and waits until it is suspended at the gate."""

    def starting(**parameters: Any) -> AtTheGate:
        folder = tmp_path / f"people-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        made = AtTheGate(engineer, world, folder, **parameters)
        assert made.rest() == "Suspended", made.log()
        return made

    return starting


@pytest.fixture
def waiting(start: Start) -> AtTheGate:
    """A run that is suspended at the gate."""
    return start()
