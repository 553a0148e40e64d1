"""Prefect's server has no time for a step's own requests: the step tries again, and nobody sees an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.sandbox.prefect_server import PrefectServer
from runbook.gate import GateRecord
from tests.prefect_wire import Wire
from tests.world import World, enable

pytestmark = pytest.mark.long

TRIES_OF_THE_CLIENT = 3
"""Of Prefect's own client, in these tests."""


@pytest.fixture
async def wire(prefect_harness: PrefectServer) -> AsyncIterator[Wire]:
    """What this process asks Prefect's server passes here."""
    with Wire(prefect_harness.port) as made:
        with temporary_settings({PREFECT_API_URL: made.api_url}):
            yield made
        # What is left in the threads that send logs and events would look for the wire when it is gone.
        await APILogHandler.aflush()
        await asyncio.to_thread(EventsWorker.drain_all)


async def test_the_record_of_a_waiting_run_is_kept_however_often_the_server_is_busy(
    world: World, wire: Wire
) -> None:
    run = await enable(world)
    wire.refuse(b"PATCH /api/flow_runs/", b"/labels", times=TRIES_OF_THE_CLIENT + 1)
    assert await run.go() == "Suspended", run.error
    assert wire.struck.is_set()
    record = GateRecord.of_labels((await run.read()).labels)
    assert record is not None
    assert record.number == 1
    assert {task.run_count for task in await run.tasks()} == {1}, "no step had to be made again"


async def test_a_step_is_tried_again_when_prefects_own_client_has_given_up(world: World, wire: Wire) -> None:
    run = await enable(world)
    wire.refuse(b"POST /api/artifacts/", times=TRIES_OF_THE_CLIENT)
    assert await run.go() == "Suspended", run.error
    assert wire.struck.is_set()
    assert {task.name: task.run_count for task in await run.tasks()} == {
        "preflight": 2,
        "open the pull request": 1,
        "check the merge": 1,
    }
