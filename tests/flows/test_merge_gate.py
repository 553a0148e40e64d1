"""The gate: only the content of the base branch opens it. More of it, on a real worker, in ``tests/e2e``."""

from __future__ import annotations

import pytest
from prefect.client.orchestration import get_client
from prefect.states import AwaitingRetry

from connections import GitOpsRepository
from flows.watch_merges import watch_merges
from runbook.errors import Conflict, NotMerged
from tests.world import Run, World, enable


async def test_whoever_resumes_without_a_merge_only_makes_it_look(world: World) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended"
    await run.resume()
    assert await run.go() == "Suspended"
    await run.resume({"landed_elsewhere": True, "note": "I promise"})
    assert await run.go() == "Suspended"
    log = await run.logs()
    assert "the change is not on the base branch; the run waits again" in log
    assert "I promise" in log
    assert len(world.pulls()) == 1


@pytest.mark.long
async def test_the_form_links_the_pull_request_and_asks_for_nothing(world: World) -> None:
    run = await enable(world)
    await run.go()
    state = (await run.read()).state
    assert state is not None
    async with get_client() as client:
        keyset = state.state_details.run_input_keyset
        assert keyset is not None
        description = await client.read_flow_run_input(run.id, keyset["description"])
        schema = await client.read_flow_run_input(run.id, keyset["schema"])
    assert world.pulls()[0]["html_url"] in description
    assert '"required"' not in schema


async def test_a_pull_request_closed_without_a_merge_ends_the_run_and_a_new_run_opens_another(
    world: World,
) -> None:
    run = await enable(world)
    await run.go()
    world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, NotMerged)
    assert "pull request #1: was closed without a merge by reviewer" in str(run.error)
    again = await enable(world)
    assert await again.go() == "Suspended", again.error
    assert [pull["number"] for pull in world.pulls("open")] == [2]


@pytest.mark.long
async def test_a_run_that_was_refused_for_another_change_proposes_its_own_once_that_has_landed(
    world: World,
) -> None:
    first, second = await enable(world, namespaces=["web"]), await enable(world)
    assert await first.go() == "Suspended", first.error
    assert await second.go() == "Failed"
    assert isinstance(second.error, Conflict)
    world.merge()
    world.sync()
    await first.resume()
    assert await first.go() == "Completed", first.error
    async with get_client() as client:
        await client.set_flow_run_state(second.id, AwaitingRetry(), force=True)
    assert await second.go() == "Suspended", second.error
    assert [pull["number"] for pull in world.pulls("open")] == [2], "its own, for what the first left out"


@pytest.mark.long
async def test_a_run_that_waited_and_gave_way_to_an_older_one_proposes_its_own_later_whichever_block_it_names(
    world: World,
) -> None:
    block: GitOpsRepository = await GitOpsRepository.aload(world.parameters["gitops"])
    await block.asave(f"again-{world.suffix}")
    older = await enable(world, namespaces=["web"])
    younger = await enable(world, gitops=f"again-{world.suffix}")
    assert await younger.go() == "Suspended", younger.error
    assert await older.go() == "Suspended", older.error
    await younger.resume()
    assert await younger.go() == "Failed"
    assert isinstance(younger.error, Conflict)
    assert "is under way for emea/ember with other parameters: namespaces=" in str(younger.error)
    world.merge()
    world.sync()
    await older.resume()
    assert await older.go() == "Completed", older.error
    async with get_client() as client:
        await client.set_flow_run_state(younger.id, AwaitingRetry(), force=True)
    assert await younger.go() == "Suspended", younger.error
    assert [pull["number"] for pull in world.pulls("open")] == [2]


async def test_after_a_later_failure_a_retry_asks_for_no_second_approval_and_repeats_no_vault_step(
    world: World,
) -> None:
    run = await enable(world)
    await run.go()
    world.merge()
    world.sync()
    world.delete_service_account("web", "vault-secret-fetcher")
    await run.resume()
    assert await run.go() == "Failed"
    assert "web/vault-secret-fetcher" in str(run.error)
    world.agent.round()
    world.create_service_account("web", "vault-secret-fetcher")
    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    assert await run.go() == "Completed", run.error
    assert len(world.pulls()) == 1


@pytest.mark.long
async def test_vault_steps_that_are_done_are_skipped_on_retry(world: World) -> None:
    run = await enable(world)
    await run.go()
    world.merge()
    world.sync()
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    world.as_vault_admin("POST", "auth/ember-k8s/role/emea-ops", world.foreign_role())
    await run.resume()
    # Preflight sees the foreign role and stops before any change.
    assert await run.go() == "Failed"
    assert "hands out the policies billing" in str(run.error)
    world.as_vault_admin("DELETE", "auth/ember-k8s/role/emea-ops")
    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    assert await run.go() == "Completed", run.error


async def test_the_watcher_wakes_the_runs_whose_change_has_landed_and_no_other(world: World) -> None:
    run = await enable(world)
    await run.go()
    watcher = await Run.create(watch_merges, {})
    assert await watcher.go() == "Completed", watcher.error
    state = (await run.read()).state
    assert state is not None
    assert state.name == "Suspended"
    world.merge()
    assert await watcher.again() == "Completed", watcher.error
    state = (await run.read()).state
    assert state is not None
    assert state.name == "Resuming"
    assert "enable emea/ember" in await watcher.logs()
