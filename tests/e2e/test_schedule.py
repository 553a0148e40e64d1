"""The schedule of `watch-merges`, with no merge service there: the net under the webhook holds by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.engineer import Engineer
from tests.waiting import AtTheGate

pytestmark = pytest.mark.e2e

WATCH = "watch-merges/watch-merges"


@pytest.fixture
def scheduled_soon(engineer: Engineer) -> Iterator[Callable[[], None]]:
    """Have the scheduler make a few rounds. An interval so short is a hundred, in the way of each other."""
    deployment = engineer.api.deployment(WATCH)
    (schedule,) = deployment["schedules"]
    path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"

    def begin() -> None:
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        rule = f"DTSTART:{now}\nRRULE:FREQ=SECONDLY;INTERVAL=20;COUNT=9"
        engineer.api.request("PATCH", path, {"schedule": {"rrule": rule}})

    yield begin
    engineer.api.request("PATCH", path, {"schedule": schedule["schedule"]})


def test_a_scheduled_round_wakes_the_run_whose_change_was_merged(
    engineer: Engineer, waiting: AtTheGate, scheduled_soon: Callable[[], None]
) -> None:
    waiting.land()
    assert waiting.rest(after=scheduled_soon) == "Completed", waiting.log()
    rounds = engineer.api.request(
        "POST",
        "/flow_runs/filter",
        {
            "deployments": {"name": {"any_": ["watch-merges"]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        },
    )
    assert any(one["auto_scheduled"] for one in rounds), "nobody but the scheduler could have woken it"
