"""The schedule of `watch-merges`, with no merge service there: the net under the webhook holds by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engineer import Engineer
from tests.waiting import AtTheGate

pytestmark = pytest.mark.e2e

WATCH = "watch-merges/watch-merges"


@pytest.fixture
def scheduled_often(engineer: Engineer) -> Iterator[None]:
    """A round each five seconds, which Prefect's scheduler makes."""
    deployment = engineer.api.deployment(WATCH)
    (schedule,) = deployment["schedules"]
    path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
    engineer.api.request("PATCH", path, {"schedule": {"interval": 5.0}})
    yield
    engineer.api.request("PATCH", path, {"schedule": schedule["schedule"]})


def test_a_scheduled_round_wakes_the_run_whose_change_was_merged(
    engineer: Engineer, waiting: AtTheGate, scheduled_often: None
) -> None:
    def merge_and_sync() -> None:
        waiting.world.merge()
        waiting.world.sync()

    assert waiting.rest(after=merge_and_sync) == "Completed", waiting.log()
    rounds = engineer.api.request(
        "POST",
        "/flow_runs/filter",
        {
            "deployments": {"name": {"any_": ["watch-merges"]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        },
    )
    assert any(one["auto_scheduled"] for one in rounds), "nobody but the scheduler could have woken it"
