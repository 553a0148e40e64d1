"""From the form to the proved login, with a real worker process."""

from __future__ import annotations

import pytest

from bench.traffic import Traffic
from tests.engineer import Engineer
from tests.merge_service import SECRET, Service
from tests.world import World

pytestmark = pytest.mark.e2e

ENABLE = "enable-cluster/enable-cluster"
WATCH = "watch-merges/watch-merges"


def test_the_watcher_wakes_a_merged_run_and_a_second_run_changes_nothing(
    engineer: Engineer, world: World
) -> None:
    run = engineer.start(ENABLE, world.parameters)
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    assert engineer.api.flow_run(run)["name"] == "enable emea/ember"

    world.merge("squash")
    world.sync()
    watcher = engineer.start(WATCH)
    assert engineer.await_state(watcher, "Completed") == "Completed", engineer.log(watcher)
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert "logs in at ember-k8s" in engineer.artifact(run, "report-emea-ember")

    traffic = Traffic(world)
    again = engineer.start(ENABLE, world.parameters)
    assert engineer.await_state(again, "Completed") == "Completed", engineer.log(again)
    assert traffic.writes() == []


def test_a_merge_is_delivered_and_wakes_the_run_also_after_a_restart(
    engineer: Engineer, world: World, service: Service
) -> None:
    service.start()  # it looks once, and then only when it is told to
    run = engineer.start(ENABLE, world.parameters)
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    service.stop()
    service.start()
    assert engineer.api.flow_run(run)["state"]["name"] == "Suspended"
    world.github.webhooks.append(service.webhook)
    world.merge("squash")
    world.sync()
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert {delivery.status for delivery in world.github.deliveries} == {202}
    assert "enable emea/ember was woken: " in service.log
    assert SECRET not in service.log
    assert len(world.pulls()) == 1
