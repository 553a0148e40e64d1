"""From the form to the proved login, with a real worker process."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.conftest import Engineer
from tests.traffic import Traffic
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


def test_a_failed_step_is_retried_from_the_run_page_without_a_second_approval(
    engineer: Engineer, world: World
) -> None:
    run = engineer.start(ENABLE, world.parameters)
    engineer.await_state(run, "Suspended")
    world.merge("rebase")
    assert engineer.api.resume(run) == "ACCEPT"
    assert engineer.await_state(run, "Failed") == "Failed"
    assert "Sync next in ArgoCD: app-of-apps of ember" in engineer.log(run)

    world.sync()
    assert engineer.api.retry(run) == "ACCEPT"
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert len(world.pulls()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("cluster", "a/b"), ("env", ".."), ("cluster", "Ember"), ("namespaces", []), ("namespaces", ["*"])],
)
def test_the_form_refuses_what_is_no_name(
    engineer: Engineer, world: World, field: str, value: object
) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        engineer.start(ENABLE, world.parameters | {field: value})
    assert refused.value.response.status_code in {409, 422}
    assert field in refused.value.response.text
