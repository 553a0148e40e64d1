"""The merge service beside the rest: it wakes runs, and finds what happened while it was down."""

from __future__ import annotations

import re
import time
from functools import partial
from uuid import uuid4

import pytest
import requests

from bench.world import REPOSITORY
from sandbox.ports import ANSWER_SECONDS
from tests.deployments.merge_service.conftest import sign
from tests.deployments.merge_service.payloads import encoded, pull_request
from tests.merge_service import Service
from tests.waiting import AtTheGate
from tests.world import World

pytestmark = pytest.mark.long


def close(world: World) -> None:
    world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})


def test_a_merge_while_the_service_is_down_is_found_by_its_first_look(
    waiting: AtTheGate, service: Service
) -> None:
    github = waiting.world.github
    github.webhooks.append(service.webhook)
    waiting.world.merge("rebase")
    waiting.eventually(lambda: len(github.deliveries) > 0)
    assert {delivery.status for delivery in github.deliveries} == {0}
    waiting.go_on(wake=service.start)


def lie(service: Service) -> requests.Response:
    """A delivery that is signed: of a merge that did not happen."""
    body = encoded(pull_request("closed", merged=True, full_name=REPOSITORY))
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": sign(body, service.secret.encode()),
    }
    return requests.post(f"{service.url}/webhook", data=body, headers=headers, timeout=ANSWER_SECONDS)


def test_whatever_else_happens_to_its_change_is_delivered_and_wakes_the_run_but_a_lie_does_not(
    waiting: AtTheGate, service: Service
) -> None:
    service.start()
    before, sent = waiting.run()["state"]["id"], time.monotonic()
    answer = lie(service)
    assert (answer.status_code, answer.json()) == (202, {"message": "looking"})
    waiting.eventually(lambda: service.has_looked_since(sent))
    assert f"Received a pull_request event: checking {REPOSITORY}." in service.log
    assert waiting.run()["state"]["id"] == before
    assert "woken" not in service.log
    waiting.world.github.webhooks.append(service.webhook)
    dana = partial(waiting.push_to_branch, lambda text: f"{text}# checked by Dana\n")
    assert waiting.rest(dana) == "Suspended", waiting.log()
    assert "enable emea/ember was woken: somebody pushed to the branch of pull request #1" in service.log
    moved = partial(waiting.push_to_base, lambda text: f"{text}# said by somebody else\n")
    assert waiting.rest(moved) == "Suspended", waiting.log()
    assert re.search("enable emea/ember was woken: the base branch moved to .*, which affects", service.log)
    assert "it conflicts with main" in waiting.artifact("pull-request")
    assert waiting.rest(partial(close, waiting.world)) == "Failed"
    assert "enable emea/ember was woken: pull request #1 was merged or closed" in service.log
    assert waiting.said("pull request #1: was closed without a merge by reviewer"), waiting.log()
    assert service.log.count("was woken") == 3
    assert {delivery.status for delivery in waiting.world.github.deliveries} == {202}


def test_a_close_that_nobody_delivers_is_seen_by_polling(waiting: AtTheGate, service: Service) -> None:
    service.start(interval=1.0)
    assert waiting.rest(partial(close, waiting.world)) == "Failed"
    assert "enable emea/ember was woken: pull request #1 was merged or closed" in service.log
    assert waiting.said("pull request #1: was closed without a merge by reviewer"), waiting.log()
    assert "Received a" not in service.log
