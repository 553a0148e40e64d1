"""The flow, from the form to the proved login, in this process through a real Prefect server."""

from __future__ import annotations

import re

import pytest
from prefect.client.schemas.objects import TaskRunResult

from tests.traffic import Traffic
from tests.world import World, enable


async def to_the_end(world: World, **changes: object) -> str:
    """Run, merge, sync, resume; returns the report."""
    run = await enable(world, **changes)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    return str((await run.artifacts())["report-emea-ember"])


async def test_a_cluster_is_enabled_and_a_second_run_writes_nothing_anywhere(world: World) -> None:
    traffic = Traffic(world)
    report = await to_the_end(world)
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report
    assert "web/vault-secret-fetcher logs in at ember-k8s" in report
    assert "is Ready: not proved: no ESO on this cluster" in report
    assert traffic.writes(), "the first run writes, so the count of the second can be believed"

    traffic.forget()
    again = await enable(world)
    assert await again.go() == "Completed", again.error
    assert traffic.writes() == []
    assert traffic.seen() > 20
    assert "Nothing; everything was as wanted." in (await again.artifacts())["report-emea-ember"]
    assert len(world.pulls()) == 1


@pytest.mark.long
async def test_the_steps_depend_on_each_other_in_the_order_of_the_runbook(world: World) -> None:
    run = await enable(world)
    await run.go()
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    tasks = await run.tasks()
    names = {task.id: task.name for task in tasks}
    upstream = {
        names[task.id]: {
            names[part.id]
            for parts in task.task_inputs.values()
            for part in parts
            if isinstance(part, TaskRunResult)
        }
        for task in tasks
    }
    assert upstream["open the pull request"] == {"preflight"}
    approved = "find the approved plan"
    assert upstream[approved] == {"open the pull request", "check the merge"}
    assert upstream["wait until synced"] == {approved}
    assert upstream["write policies"] == {approved}
    assert upstream["write group and alias"] == {approved, "write policies"}
    assert upstream["enable auth method"] == {approved, "write group and alias"}
    assert upstream["configure auth method"] == {approved, "enable auth method", "wait until synced"}
    assert upstream["write role"] == {approved, "configure auth method"}
    assert upstream["verify the login"] == {"write role"}


@pytest.mark.long
async def test_scope_cluster_refuses_a_siblings_secrets(world: World) -> None:
    report = await to_the_end(world, policy_scope="cluster")
    assert "its session carries emea-ember-kv-r" in report
    assert "it may not read k8s_secrets/emea/not-ember/: 403" in report


@pytest.mark.long
async def test_a_requested_token_needs_no_secret_in_the_pull_request(world: World) -> None:
    report = await to_the_end(world, reviewer_token="token-request", reviewer_token_lifetime="24h")
    assert "Reviewer's token: sha256" in report
    assert "ends: 20" in report
    files = world.as_reviewer("GET", "/pulls/1/files").json()
    assert not [file for file in files if "token" in file["filename"]]


@pytest.mark.long
async def test_a_run_proposes_from_a_fork_that_it_makes(world: World) -> None:
    world.connect(gitops__fork="pipeline")
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    (pull,) = world.pulls()
    assert pull["head"]["label"] == "pipeline:enable-vault/emea/ember"
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error


async def test_the_pull_request_says_what_why_and_what_follows(world: World) -> None:
    run = await enable(world)
    await run.go()
    (pull,) = world.pulls()
    assert pull["title"] == "Enable Vault secrets on emea/ember"
    body = pull["body"]
    assert "`cluster-scope/overlays/prod/emea/ember/kustomization.yaml`" in body
    assert "| `auth/ember-k8s` | **is created** |" in body
    assert 'path "k8s_secrets/data/emea/*"' in body
    assert re.search(rf"^\[Flow run in Prefect\]\(http\S+/flow-run/{run.id}\)$", body, re.MULTILINE)
