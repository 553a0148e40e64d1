"""Runs that a killed worker left in Pending, on a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Pending, Running, Scheduled, Submitting, Suspended

from deployments.merge_service.stuck import StuckRuns
from deployments.sandbox.prefect_server import PrefectServer
from tests.deployments.merge_service.conftest import Log


@flow(name="enable-cluster")
def waiting() -> None: ...


@flow(name="of-somebody-else")
def foreign() -> None: ...


class Runs:
    """Makes runs and moves them through states as worker and engine do."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self.client = client
        self.made: list[FlowRun] = []

    def make(self, of: Any = waiting, *states: State[Any]) -> FlowRun:
        deployment = self.client.create_deployment(self.client.create_flow(of), name="stuck")
        run = self.client.create_flow_run_from_deployment(deployment, name="enable emea/ember")
        self.made.append(run)
        for state in states:
            self.set(run, state)
        return run

    def set(self, run: FlowRun, state: State[Any]) -> None:
        assert self.client.set_flow_run_state(run.id, state).status.value == "ACCEPT"

    def read(self, run: FlowRun) -> FlowRun:
        return self.client.read_flow_run(run.id)

    def state(self, run: FlowRun) -> str | None:
        state = self.read(run).state
        return state.name if state else None


@pytest.fixture
def runs(prefect_harness: PrefectServer) -> Iterator[Runs]:
    with get_client(sync_client=True) as client:
        made = Runs(client)
        yield made
        for run in made.made:
            client.delete_flow_run(run.id)


def test_a_run_that_stays_in_pending_is_scheduled_again_with_all_that_it_carries(
    runs: Runs, log: Log
) -> None:
    run = runs.make(waiting, Pending(), Running(), Suspended(pause_key="merge-gate-1"))
    runs.client.resume_flow_run(run.id)
    runs.set(run, Pending())
    before = runs.read(run)
    stuck = StuckRuns(0.0, log.logger)
    assert stuck.revive(runs.client) == [], "one look cannot tell it from a run that starts"
    assert stuck.revive(runs.client) == ["enable emea/ember"]
    after = runs.read(run)
    assert after.state is not None
    assert (after.state.type.value, after.state.name) == ("SCHEDULED", "Scheduled")
    assert after.empirical_policy.pause_keys == {"merge-gate-1"}
    assert after.empirical_policy == before.empirical_policy
    assert (after.name, after.parameters, after.labels) == (before.name, before.parameters, before.labels)
    assert after.next_scheduled_start_time is not None
    assert "the worker that had taken it is gone" in (after.state.message or "")
    assert "was stuck in Pending" in log.text
    assert stuck.revive(runs.client) == []


def test_a_run_that_is_starting_is_left_alone(runs: Runs, log: Log) -> None:
    run = runs.make(waiting, Pending())
    patient = StuckRuns(120.0, log.logger)
    assert patient.revive(runs.client) == patient.revive(runs.client) == []
    hasty = StuckRuns(0.0, log.logger)
    hasty.revive(runs.client)
    runs.set(run, Submitting())  # the next step of a start, with a time of its own
    assert hasty.revive(runs.client) == []
    runs.set(run, Running())
    assert hasty.revive(runs.client) == []
    assert runs.state(run) == "Running"


def test_a_run_that_a_worker_took_before_its_time_is_left_alone(runs: Runs, log: Log) -> None:
    later = datetime.now(UTC) + timedelta(seconds=60)
    run = runs.make(waiting, Scheduled(scheduled_time=later), Pending())
    stuck = StuckRuns(0.0, log.logger)
    assert stuck.revive(runs.client) == stuck.revive(runs.client) == []
    assert runs.state(run) == "Pending"


def test_other_states_and_other_flows_are_none_of_its_business(runs: Runs, log: Log) -> None:
    running = runs.make(waiting, Pending(), Running())
    suspended = runs.make(waiting, Pending(), Running(), Suspended(pause_key="merge-gate-1"))
    ended = runs.make(waiting, Pending(), Running(), Completed())
    other = runs.make(foreign, Pending())
    stuck = StuckRuns(0.0, log.logger)
    assert stuck.revive(runs.client) == stuck.revive(runs.client) == []
    assert [runs.state(run) for run in (running, suspended, ended, other)] == [
        "Running",
        "Suspended",
        "Completed",
        "Pending",
    ]
