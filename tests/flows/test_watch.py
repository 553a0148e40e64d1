"""The look that wakes: whatever is wrong with one run or one system, the others are served."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Crashed, Running, Suspended

from change.gate.watch import Round, Watch
from runbook.errors import Unreachable
from runbook.gate import LABEL
from tasks.runbooks import RUNBOOKS
from tests.run import Run, at_the_gate, enable
from tests.world import World


async def look(**options: Any) -> Round:
    """In a thread of its own, as the merge service does."""
    watch = Watch(RUNBOOKS, logging.getLogger(__name__), settle=0)
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


@pytest.mark.long
async def test_a_run_that_was_marked_as_crashed_while_it_waited_waits_again_and_is_woken(
    world: World, tmp_path: Path
) -> None:
    run = await at_the_gate(world)
    before = (await run.read()).state
    async with get_client() as client:
        for _ in range(2):  # as a worker does
            await client.set_flow_run_state(run.id, Crashed(message="no heartbeat"), force=True)
    assert (await look()).waiting == 1
    after = (await run.read()).state
    assert before is not None
    assert after is not None
    assert (after.name, after.state_details.pause_key) == ("Suspended", before.state_details.pause_key)
    assert after.state_details.run_input_keyset == before.state_details.run_input_keyset
    world.land_by_hand(tmp_path)
    world.sync()
    assert (await look()).woken == ("enable emea/ember",)
    assert await run.go() == "Completed", run.error


@pytest.mark.long
async def test_a_run_that_crashed_while_it_worked_stays_so_until_somebody_retries_it(world: World) -> None:
    run = await at_the_gate(world)
    await run.resume()
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Crashed(), force=True)
    assert (await look()).waiting == 0
    assert (await run.read()).state_name == "Crashed"
