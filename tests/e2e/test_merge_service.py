"""The merge service beside the rest: it wakes runs, and finds what happened while it was down."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.deployments.merge_service.conftest import sign
from tests.deployments.merge_service.payloads import encoded, pull_request
from tests.e2e.conftest import Engineer
from tests.e2e.merge_service import SECRET, Service
from tests.e2e.waiting import AtTheGate
from tests.world import REPOSITORY, World

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


def close(world: World) -> None:
    world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})


def deliver(service: Service, event: str, payload: dict[str, Any]) -> requests.Response:
    """A delivery with a right signature."""
    body = encoded(payload)
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": sign(body, service.secret.encode()),
    }
    return requests.post(f"{service.url}/webhook", data=body, headers=headers, timeout=30)


def test_a_merge_is_delivered_and_wakes_the_run_also_after_a_restart(
    engineer: Engineer, world: World, service: Service
) -> None:
    service.start()  # it looks once, and then only when it is told to
    run = waiting_run(engineer, world)
    service.stop()
    service.start()
    assert state(engineer, run)["name"] == "Suspended"
    world.github.webhooks.append(service.webhook)
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
    world.github.webhooks.append(service.webhook)
    world.merge("rebase")
    world.sync()
    until(lambda: len(world.github.deliveries) > 0, lambda: "GitHub delivers nothing")
    assert {delivery.status for delivery in world.github.deliveries} == {0}
    service.start()
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)


def test_whatever_else_happens_to_its_change_is_delivered_and_wakes_the_run(
    waiting: AtTheGate, service: Service
) -> None:
    service.start()
    waiting.world.github.webhooks.append(service.webhook)
    dana = partial(waiting.push_to_branch, lambda text: f"{text}# checked by Dana\n")
    assert waiting.rest(dana) == "Suspended", waiting.log()
    assert "enable emea/ember was woken: somebody pushed to the branch of pull request #1" in service.log
    moved = partial(waiting.push_to_base, lambda text: f"{text}# said by somebody else\n")
    assert waiting.rest(moved) == "Suspended", waiting.log()
    assert "enable emea/ember was woken: the base branch moved below its change" in service.log
    assert "it conflicts with main" in waiting.artifact("merge")
    assert waiting.rest(partial(close, waiting.world)) == "Failed"
    assert "enable emea/ember was woken: pull request #1 is not open any more" in service.log
    assert waiting.said("pull request #1: was closed without a merge by reviewer"), waiting.log()
    assert service.log.count("was woken") == 3
    assert {delivery.status for delivery in waiting.world.github.deliveries} == {202}


def test_a_close_that_nobody_delivers_is_seen_by_polling(waiting: AtTheGate, service: Service) -> None:
    service.start(interval=1.0)
    assert waiting.rest(partial(close, waiting.world)) == "Failed"
    assert "enable emea/ember was woken: pull request #1 is not open any more" in service.log
    assert waiting.said("pull request #1: was closed without a merge by reviewer"), waiting.log()
    assert "announced" not in service.log


def test_a_delivery_that_is_signed_and_lies_makes_the_service_look_and_wakes_nobody(
    engineer: Engineer, world: World, service: Service
) -> None:
    service.start()
    run = waiting_run(engineer, world)
    before, sent = state(engineer, run)["id"], time.monotonic()
    answer = deliver(service, "pull_request", pull_request("closed", merged=True, full_name=REPOSITORY))
    assert (answer.status_code, answer.json()) == (202, {"message": "looking"})
    until(lambda: service.has_looked_since(sent), lambda: service.log)
    assert f"A pull_request was announced: looking at {REPOSITORY}." in service.log
    assert state(engineer, run)["id"] == before
    assert "woken" not in service.log
