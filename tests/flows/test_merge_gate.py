"""The gate: only the content of the base branch opens it. More of it in ``tests/gate``."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.states import AwaitingRetry

from connections import GitOpsRepository
from flows.watch_merges import watch_merges
from runbook.errors import Conflict
from tests.run import Run, at_the_gate, enable, land
from tests.world import World


async def test_what_authors_call_themselves_and_their_commits_is_shown_and_not_acted_on(
    world: World, tmp_path: Path
) -> None:
    run = await at_the_gate(world)
    checkout = world.clone(tmp_path, "--branch", "enable-vault/emea/ember")
    listed = checkout.folder / "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"
    listed.write_text(listed.read_text().replace("  - secret-mgmt\n", ""))
    author = "\x1b[31m\u202e![x](http://127.0.0.1:9/leak.png) [here](javascript:alert(1)) <b>@reviewer"
    checkout.git("commit", "--quiet", "--all", "--author", f"{author} <a@example.com>", "--message", author)
    checkout.git("push", "--quiet", "origin", "HEAD")
    await run.resume()
    assert await run.go() == "Suspended", run.error

    (comment,) = world.as_reviewer("GET", "/issues/1/comments").json()
    log, page = await run.logs(), (await run.artifacts())["pull-request-emea-ember"]
    for text in (log, page, comment["body"]):
        assert "leak.png" in text
        assert not {sign for sign in text if unicodedata.category(sign) in {"Cc", "Cf"}} - {"\n"}
    for text in (page, comment["body"]):
        assert "!\\[x\\]\\(http" in text
        assert not re.search(r"(?<!\\)\[(x|here)|\]\(javascript|<b|@reviewer", text)


@pytest.mark.long
async def test_a_run_that_waited_and_gave_way_to_an_older_one_proposes_its_own_later_whichever_block_it_names(
    world: World,
) -> None:
    block: GitOpsRepository = await GitOpsRepository.aload(world.parameters["gitops"])
    await block.asave(f"again-{world.suffix}")
    older = await enable(world, namespaces=["web"])
    younger = await at_the_gate(world, gitops=f"again-{world.suffix}")
    assert await older.go() == "Suspended", older.error
    await younger.resume()
    assert await younger.go() == "Failed"
    assert isinstance(younger.error, Conflict)
    assert "is in progress for emea/ember with other parameters: namespaces=" in str(younger.error)
    await land(world, older)
    assert await older.go() == "Completed", older.error
    async with get_client() as client:
        await client.set_flow_run_state(younger.id, AwaitingRetry(), force=True)
    assert await younger.go() == "Suspended", younger.error
    assert [pull["number"] for pull in world.pulls("open")] == [2]


async def test_after_a_later_failure_a_retry_asks_for_no_second_approval_and_repeats_no_vault_step(
    world: World,
) -> None:
    run = await at_the_gate(world)
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


async def test_the_watcher_wakes_the_runs_whose_change_has_landed_and_no_other(world: World) -> None:
    run = await at_the_gate(world)
    watcher = await Run.create(watch_merges, {})
    assert await watcher.go() == "Completed", watcher.error
    read = await run.read()
    state = read.state
    assert state is not None
    assert state.name == "Suspended"
    assert "#1" in read.tags, "what a list of runs shows"
    awaited = f"the merge of pull request #1 {world.pulls()[0]['html_url']}"
    assert state.message == f"waits for {awaited}", "the page of the run says it"
    assert (await run.logs()).splitlines()[-1] == f"This run waits for {awaited}", "and Prefect adds no error"
    world.merge()
    assert await watcher.again() == "Completed", watcher.error
    state = (await run.read()).state
    assert state is not None
    assert state.name == "Resuming"
    assert "enable emea/ember" in await watcher.logs()
