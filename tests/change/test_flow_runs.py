"""Counting runs: one request, whatever has piled up."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed, Crashed, Running, Suspended

from change.flow_runs import runs_by_state
from sandbox.prefect_server import PrefectServer

DAY = timedelta(days=1)


def test_runs_are_counted_by_state_without_those_that_ended_before(prefect_harness: PrefectServer) -> None:
    name = f"counted-{uuid4()}"

    @flow(name=name)
    def counted() -> None:
        """Never executed."""

    states: list[State] = [Completed(), Completed(), Crashed(), Running(), Suspended()]
    with get_client(sync_client=True) as client:
        for state in states:
            run = client.create_flow_run(counted)
            client.set_flow_run_state(run.id, state, force=True)
        under_way = {"Running": 1, "Suspended": 1}
        assert runs_by_state(client, DAY, name) == {"Completed": 2, "Crashed": 1, **under_way}
        assert runs_by_state(client, -DAY, name) == under_way, "none has ended since tomorrow"
        assert runs_by_state(client, DAY, "nobody-has-this-flow") == {}
