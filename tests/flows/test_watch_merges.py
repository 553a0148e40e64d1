"""Watching for all runs that wait: what a look costs, and what becomes of a run that cannot be woken yet."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from bench.crowd import Crowd
from change.gate.watch import Watch
from flows.enable_cluster import enable_cluster
from sandbox.github_api.limits import RateLimits
from sandbox.prefect_server import PrefectServer
from tasks.runbooks import RUNBOOKS
from tests.prefect_wire import BUSY, Wire, answer_of
from tests.tables import table
from tests.world import World

LOG = logging.getLogger(__name__)


@pytest.fixture
def crowd(prefect_harness: PrefectServer, world: World) -> Crowd:
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(enable_cluster), name="crowd")
    return Crowd(world, prefect_harness.api, str(deployment))


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch(RUNBOOKS, LOG, settle=0)
    yield made
    made.close()


def merge(world: World, number: int) -> None:
    world.as_reviewer("PUT", f"/pulls/{number}/merge", json={})


@pytest.mark.long
def test_a_look_costs_the_same_for_fifty_runs_as_for_one(crowd: Crowd, world: World, watch: Watch) -> None:
    costs = []
    for size in (1, 50):
        crowd.grow_to(size)
        watch.look()
        before = len(world.github.requests)
        assert watch.look().waiting == size
        costs.append(len(world.github.requests) - before)
        assert {one.status for one in world.github.requests[before:]} == {304}
    assert costs == [2, 2]


def test_only_the_run_whose_pull_request_was_decided_is_woken(
    crowd: Crowd, world: World, watch: Watch
) -> None:
    crowd.grow_to(3)
    assert watch.look().woken == ()
    merge(world, crowd.runs[1][1])
    assert len(watch.look().woken) == 1
    states = [crowd.state(run) for run, _ in crowd.runs]
    assert states == ["Suspended", "Resuming", "Suspended"]


def test_while_github_asks_to_be_left_alone_it_is_not_asked(crowd: Crowd, world: World, watch: Watch) -> None:
    crowd.grow_to(1)
    world.github.rate_limits = RateLimits(requests=0, window_seconds=1000)
    assert [type(problem).__name__ for problem in watch.look().problems] == ["Busy"]
    before = len(world.github.requests)
    assert watch.look().problems == ()
    assert world.github.requests[before:] == []


def test_a_run_that_has_looked_and_not_suspended_yet_is_woken_once_it_has(
    crowd: Crowd, world: World, watch: Watch
) -> None:
    crowd.grow_to(1)
    run, number = crowd.runs[0]
    crowd.set_state(run, "RUNNING", "Running")
    merge(world, number)
    found = watch.look()
    assert (found.woken, found.again) == ((), ("enable emea/ember",))
    crowd.suspend(run)
    found = watch.look()
    assert (found.woken, found.again) == (("enable emea/ember",), ())


def test_a_run_that_has_just_suspended_is_woken_once_its_process_has_ended(
    crowd: Crowd, world: World, watch: Watch
) -> None:
    crowd.grow_to(1)
    run, number = crowd.runs[0]
    crowd.suspend(run)
    merge(world, number)
    as_shipped = Watch(RUNBOOKS, LOG)
    found = as_shipped.look()
    as_shipped.close()
    assert (found.woken, found.again) == ((), ("enable emea/ember",))
    assert crowd.state(run) == "Suspended"
    assert watch.look().woken == ("enable emea/ember",)


NOT_WRITTEN = {
    "reason": "Error validating state: OperationalError('disk I/O error')",
    "type": "abort_details",
}


@table(
    "answer",
    {
        "it is busy": BUSY,
        "it could not write the state": answer_of({"state": None, "status": "ABORT", "details": NOT_WRITTEN}),
    },
)
def test_a_run_that_the_server_does_not_resume_is_woken_by_the_next_look(
    crowd: Crowd, world: World, watch: Watch, prefect_harness: PrefectServer, answer: bytes
) -> None:
    crowd.grow_to(1)
    merge(world, crowd.runs[0][1])
    with (
        Wire(prefect_harness.port) as wire,
        temporary_settings(updates={PREFECT_API_URL: wire.api_url, PREFECT_CLIENT_MAX_RETRIES: 0}),
    ):
        wire.refuse(b"POST /api/flow_runs/", b"/resume", times=1, answer=answer)
        found = watch.look()
        assert (found.woken, found.again) == ((), ("enable emea/ember",))
        found = watch.look()
        assert (found.woken, found.again) == (("enable emea/ember",), ())


def test_what_is_more_urgent_interrupts_the_comparison_and_the_next_look_ends_it(
    crowd: Crowd, watch: Watch
) -> None:
    crowd.grow_to(3)
    crowd.move_base()
    answers = iter([False, True])
    assert watch.look(is_wanted_elsewhere=lambda: next(answers)).unfinished
    # The first was compared already, so that it is asked about the other two.
    answers = iter([False, False])
    assert not watch.look(is_wanted_elsewhere=lambda: next(answers)).unfinished
    assert next(answers, None) is None
