"""The look that wakes: whatever is wrong with one run or one system, the others are served."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Crashed, Running, Suspended

from change.gate.crashed import start_crashed_runs_again
from change.gate.watch import Round, Watch
from runbook.errors import Unreachable
from runbook.gate import LABEL
from sandbox.prefect_server import PrefectServer
from tasks.runbooks import RUNBOOKS
from tests.prefect_wire import Wire
from tests.run import Run, at_the_gate, enable
from tests.world import World


async def look(settle: float = 0, **options: Any) -> Round:
    """In a thread of its own, as the merge service does."""
    watch = Watch(RUNBOOKS, logging.getLogger(__name__), settle=settle)
    try:
        return await asyncio.to_thread(watch.look, **options)
    finally:
        watch.close()


async def put_at_the_gate(run: Run, record: str) -> None:
    """As if it had looked, left this record and suspended."""
    async with get_client() as client:
        await client.update_flow_run_labels(run.id, {LABEL: record})
        state: State[None] = Suspended(pause_key="merge-gate-1", timeout_seconds=None)
        await client.set_flow_run_state(run.id, state, force=True)


@pytest.mark.long
async def test_a_run_whose_connection_is_gone_does_not_keep_the_others_waiting(
    world: World, tmp_path: Path
) -> None:
    broken, run = await enable(world, vault="deleted-meanwhile"), await enable(world)
    assert await run.go() == "Suspended", run.error
    await put_at_the_gate(broken, str((await run.read()).labels[LABEL]))
    world.land_by_hand(tmp_path)
    found = await look()
    assert set(found.woken) == {(await each.read()).name for each in (broken, run)}
    assert found.problems == ()
    assert await broken.go() == "Failed"
    assert "vault='deleted-meanwhile'" in str(broken.error)


@pytest.mark.long
async def test_while_github_does_not_answer_nobody_is_woken_to_fail(world: World, tmp_path: Path) -> None:
    await at_the_gate(world)
    world.land_by_hand(tmp_path)
    world.connect(gitops__api_url="http://127.0.0.1:9/api/v3")
    found = await look()
    assert [type(problem) for problem in found.problems] == [Unreachable]
    assert found.woken == ()
    world.connect()
    assert (await look()).woken == ("enable emea/ember",)


async def test_of_a_connection_for_which_nobody_waits_any_more_nothing_is_told(world: World) -> None:
    run = await enable(world)
    await put_at_the_gate(run, "of another version")
    with closing(Watch(RUNBOOKS, logging.getLogger(__name__), settle=0)) as watch:
        await asyncio.to_thread(watch.look)
        assert set(watch.github_calls()) == {world.parameters["gitops"]}
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Cancelled(), force=True)
        await asyncio.to_thread(watch.look)
        assert watch.github_calls() == {}


async def crash(run: Run, message: str) -> None:
    """As a worker does, which says it twice."""
    async with get_client() as client:
        for _ in range(2):
            await client.set_flow_run_state(run.id, Crashed(message=message), force=True)


@pytest.mark.long
async def test_a_run_that_was_marked_as_crashed_while_it_waited_is_started_and_waits_again(
    world: World, tmp_path: Path
) -> None:
    run = await at_the_gate(world)
    await crash(run, "no heartbeat")
    assert (await look()).waiting == 0
    assert await run.go() == "Suspended", run.error
    assert (await look()).waiting == 1
    world.land_by_hand(tmp_path)
    world.sync()
    assert (await look()).woken == ("enable emea/ember",)
    assert await run.go() == "Completed", run.error


@pytest.mark.long
async def test_a_crashed_run_is_started_again_twice_and_then_says_what_to_look_at(world: World) -> None:
    run = await enable(world)
    for crashes in (1, 2):
        await crash(run, "exit code -9")
        await look()
        state = (await run.read()).state
        assert state is not None
        assert (state.name, state.message) == (
            "AwaitingRetry",
            f"Started again after crash {crashes} of 3: exit code -9",
        )
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Running(), force=True)
    await crash(run, "exit code -9")
    for _ in range(2):
        await look()
        state = (await run.read()).state
        assert state is not None
        assert state.name == "Crashed"
        assert "Not started again: it crashed 3 times within a day. Look at the log of its worker" in str(
            state.message
        )


async def test_what_has_just_crashed_is_left_until_its_worker_has_said_all(world: World) -> None:
    run = await enable(world)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Crashed(), force=True)
    assert (await look(settle=5)).again == ((await run.read()).name,)
    assert (await run.read()).state_name == "Crashed"


async def test_crashes_of_the_past_are_not_asked_about(world: World, prefect_harness: PrefectServer) -> None:
    for _ in range(3):
        run = await enable(world)
        await crash(run, "exit code -9")

    def start_again(now: datetime) -> None:
        with get_client(sync_client=True) as client:
            start_crashed_runs_again(client, ["enable-cluster"], logging.getLogger(__name__), now=now)

    asked = b"GET /api/flow_run_states/"
    with Wire(prefect_harness.port) as wire, temporary_settings({PREFECT_API_URL: wire.api_url}):
        wire.once(asked, act=lambda: None, pass_on=True)
        await asyncio.to_thread(start_again, datetime.now(UTC) + timedelta(days=2))
        assert not wire.struck.is_set()
        await asyncio.to_thread(start_again, datetime.now(UTC) + timedelta(hours=1))
        assert wire.struck.is_set()
    assert (await run.read()).state_name == "AwaitingRetry"


async def test_a_crashed_run_that_is_deleted_at_this_moment_does_not_end_the_look(
    world: World, prefect_harness: PrefectServer
) -> None:
    gone, other = await enable(world), await enable(world)
    for run in (gone, other):
        await crash(run, "exit code -9")
    with Wire(prefect_harness.port) as wire, temporary_settings({PREFECT_API_URL: wire.api_url}):
        wire.hold(f"/flow_runs/{gone.id}/set_state".encode())
        looking = asyncio.create_task(look())
        assert await asyncio.to_thread(wire.struck.wait, 60)
        with temporary_settings({PREFECT_API_URL: prefect_harness.api_url}):
            async with get_client() as client:
                await client.delete_flow_run(gone.id)
        wire.release()
        await looking
    assert (await other.read()).state_name == "AwaitingRetry"
