"""What is killed, busy or late while a run goes in or out of the gate; with a worker: in ``tests/e2e``."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest

from bench.traffic import Traffic
from sandbox.github_api import Webhook
from tests import processes
from tests.engineer import WithoutWorker
from tests.merge_service import Service
from tests.prefect_wire import Wire
from tests.waiting import AtTheGate, Start
from tests.world import World

pytestmark = pytest.mark.long


def only_of_pull_requests(service: Service) -> Webhook:
    """So that a merge is announced once: its push to the base branch would have the service look again."""
    return replace(service.webhook, events=("pull_request",))


def test_a_merge_that_is_announced_between_a_runs_look_and_its_suspension_is_not_lost(
    engineer: WithoutWorker, world: World, service: Service, begin: Start
) -> None:
    service.start()
    with Wire(engineer.server.port) as wire:
        wire.hold(b"/set_state", b'"PAUSED"')
        run = begin()
        process = engineer.begin(run.id, wire.api_url)
        assert wire.struck.wait(180)
        world.github.webhooks.append(only_of_pull_requests(service))
        before = time.monotonic()
        world.merge()
        run.eventually(lambda: service.has_looked_since(before))
        assert run.run()["state"]["name"] == "Running"
        assert "was woken" not in service.log
        wire.release()
        assert processes.wait_for([process]) == [0]
    assert engineer.await_state(run.id, "Resuming") == "Resuming", run.log()
    assert "enable emea/ember was woken: pull request #1 was merged or closed" in service.log
    world.sync()
    assert run.rest() == "Completed", run.log()
    assert run.each_step_ran_once()


def test_a_merge_that_is_announced_while_the_server_is_busy_is_not_lost(
    waiting: AtTheGate, service: Service
) -> None:
    with Wire(waiting.engineer.server.port) as wire:
        service.start(PREFECT_API_URL=wire.api_url)
        waiting.world.github.webhooks.append(only_of_pull_requests(service))
        wire.refuse(b"/resume", b'"run_input"', times=2)  # Prefect's client asks a second time by itself
        waiting.go_on(wake=waiting.land)
    assert "(pull request #1 was merged or closed): Prefect answered 503" in service.log
    assert service.log.count("enable emea/ember was woken") == 1
    assert waiting.each_step_ran_once()


def test_the_same_merge_announced_by_all_at_once_goes_on_once(waiting: AtTheGate, service: Service) -> None:
    traffic = Traffic(waiting.world)
    waiting.world.github.webhooks.append(service.webhook)
    service.start(interval=1.0)

    def announce() -> None:
        waiting.world.merge()  # which the service is told by the webhook, and sees when it polls
        waiting.watch.look()
        assert waiting.engineer.api.resume(waiting.id) in {"ACCEPT", "ABORT"}
        waiting.world.sync()

    waiting.go_on(wake=announce)
    assert waiting.each_step_ran_once()
    written = Counter(line for line in traffic.writes() if line.startswith("Vault"))
    assert written, "Vault was written to"
    assert set(written.values()) == {1}, written


@pytest.mark.parametrize("reached", [False, True])
def test_a_run_killed_while_it_is_suspended_loses_nothing(
    engineer: WithoutWorker, world: World, begin: Start, reached: bool
) -> None:
    with Wire(engineer.server.port) as wire:
        wire.once(b"/set_state", b'"PAUSED"', act=lambda: process.kill(), pass_on=reached)  # noqa: PLW0108 - started below
        run = begin()
        process = engineer.begin(run.id, wire.api_url)
        assert wire.struck.wait(180)
    world.merge()
    if reached:
        run.go_on()
    else:
        # Nobody executes it and it does not know: the automation for such runs marks it as crashed. A new
        # run takes over; it finds the change where it is.
        assert run.run()["state"]["name"] == "Running"
        world.sync()
        again = begin()
        assert again.rest() == "Completed", again.log()
    assert len(world.pulls()) == 1
