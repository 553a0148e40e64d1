"""The merge service as a process of its own, started with the documented command, beside the rest."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.github_api import Webhook
from deployments.sandbox.ports import free_port
from deployments.sandbox.processes import Supervisor, http_answers
from tests.e2e.conftest import Engineer
from tests.world import World

pytestmark = pytest.mark.e2e

ENABLE = "enable-cluster/enable-cluster"
SECRET = "the secret of GitHub and service"
SECONDS = 180.0
NEVER = 3600.0


class Service:
    """The process; may be stopped and started again on the same state."""

    def __init__(self, engineer: Engineer, directory: Path) -> None:
        self._engineer = engineer
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
            environment={**self._engineer.server.environment, "MERGE_SERVICE_WEBHOOK_SECRET": SECRET},
            directory=CHECKOUT,
            ready=http_answers(f"{self.url}/healthz"),
            within=SECONDS,
            grace=10.0,
        )

    def stop(self) -> None:
        self._supervisor.stop("merge-service")

    def stop_all(self) -> None:
        self._supervisor.stop_all()

    @property
    def log(self) -> str:
        return (self._supervisor.logs / "merge-service.log").read_text()


@pytest.fixture
def service(engineer: Engineer, world: World, tmp_path: Path) -> Iterator[Service]:
    made = Service(engineer, tmp_path / "service")
    yield made
    made.stop_all()


def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def waiting_run(engineer: Engineer, world: World) -> str:
    run = engineer.start(ENABLE, world.parameters)
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    return run


def state(engineer: Engineer, run: str) -> dict[str, Any]:
    found: dict[str, Any] = engineer.api.flow_run(run)["state"]
    return found


def test_a_merge_is_delivered_and_wakes_the_run_also_after_a_restart(
    engineer: Engineer, world: World, service: Service
) -> None:
    service.start()  # it looks once, and then only when it is told to
    run = waiting_run(engineer, world)
    service.stop()
    service.start()
    assert state(engineer, run)["name"] == "Suspended"
    world.github.webhooks.append(Webhook(f"{service.url}/webhook", SECRET))
    world.merge("squash")
    world.sync()
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert {delivery.status for delivery in world.github.deliveries} == {202}
    assert "enable emea/ember was woken: " in service.log
    assert SECRET not in service.log
    assert len(world.pulls()) == 1


def test_a_merge_while_the_service_is_down_is_found_by_its_first_look(
    engineer: Engineer, world: World, service: Service
) -> None:
    run = waiting_run(engineer, world)
    world.github.webhooks.append(Webhook(f"{service.url}/webhook", SECRET))
    world.merge("rebase")
    world.sync()
    until(lambda: len(world.github.deliveries) > 0, lambda: "GitHub delivers nothing")
    assert {delivery.status for delivery in world.github.deliveries} == {0}
    service.start()
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)


def test_a_run_whose_worker_was_killed_while_it_resumed_is_started_again(
    engineer: Engineer, world: World, service: Service
) -> None:
    run = waiting_run(engineer, world)
    world.merge()
    world.sync()
    assert engineer.api.resume(run) == "ACCEPT"
    until(lambda: state(engineer, run)["type"] == "PENDING", lambda: str(state(engineer, run)))
    engineer.server.kill_worker()
    assert state(engineer, run)["type"] == "PENDING", "the worker was not killed in time"
    engineer.server.start_worker()
    service.start(interval=2.0, pending_limit=5.0)
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert "enable emea/ember was stuck in " in service.log
    steps = [task["name"] for task in engineer.api.task_runs(run) if task["state_name"] == "Completed"]
    assert steps.count("write role") == 1
    assert len(world.pulls()) == 1
