"""The merge service beside the rest: it wakes runs, and finds what was merged while it was down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from deployments.sandbox.github_api import Webhook
from tests.e2e.conftest import Engineer
from tests.e2e.merge_service import SECRET, Service
from tests.world import World

pytestmark = pytest.mark.e2e

ENABLE = "enable-cluster/enable-cluster"
SECONDS = 180.0


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
