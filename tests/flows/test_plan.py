"""The plan that was approved is the plan that is carried out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter

from bench.traffic import Traffic
from flows.watch_merges import watch_merges
from runbook.approval import ApprovedPlan
from runbook.enable_cluster import purpose
from runbook.errors import PlanMoved, PrerequisiteMissing
from runbook.layout import Layout
from runbook.plan import plan_sha256
from runbook.pull_request import plan_of, texts
from runbook.request import EnableRequest
from tasks.auth_config import configure_auth_method
from tasks.auth_method import enable_auth_method
from tasks.group import write_group
from tasks.policies import write_policies
from tasks.role import write_role
from tests.flows.plans import PLAN, ROLE, form, landed, of_the_commit, published, retry, waits_for
from tests.run import Run, at_the_gate, enable
from tests.world import World


async def test_plan_only_publishes_the_plan_and_writes_nothing_anywhere(world: World) -> None:
    traffic = Traffic(world)
    run = await enable(world, plan_only=True)
    assert await run.go() == "Completed", run.error
    assert traffic.writes() == []
    assert traffic.seen() > 10
    assert [task.name for task in await run.tasks()] == ["preflight"]
    artifacts = await run.artifacts()
    plan = json.loads(artifacts[PLAN])
    assert [one["object"] for one in plan["changes"] if one["found"] != "absent"] == [
        "group/vault-admins-emea"
    ]
    assert plan["files"]
    assert f"Plan hash: `{plan_sha256(plan)}`" in artifacts["plan-emea-ember"]
    assert "\n- `auth/ember-k8s` **is created**: " in artifacts["plan-emea-ember"]


async def test_no_step_writes_what_the_approved_plan_does_not_have(world: World) -> None:
    request = EnableRequest.model_validate(world.parameters)
    nothing = ApprovedPlan("0" * 64, [], None)
    stopped: list[str] = []
    traffic = Traffic(world)

    @flow(name="steps-without-approval")
    async def steps() -> None:
        def attempt(step: Any) -> None:
            with pytest.raises(PlanMoved):
                step(request, nothing)
            stopped.append(step.name)

        for step in (write_policies, write_group, enable_auth_method):
            attempt(step)
        assert traffic.writes() == []
        world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
        traffic.forget()
        for step in (configure_auth_method, write_role):
            attempt(step)

    run = await Run.create(steps, {})
    assert await run.go() == "Completed", run.error
    assert len(stopped) == 5
    assert traffic.writes() == []


@pytest.mark.long
async def test_the_pull_request_names_the_plan_and_what_somebody_did_of_it_meanwhile_is_fine(
    world: World,
) -> None:
    run = await at_the_gate(world)
    shown = await published(run)
    (pull,) = world.pulls()
    assert plan_of(pull["body"]) == of_the_commit(world) == shown
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    world.as_vault_admin("POST", "identity/group/name/vault-admins-emea", {"type": "external"})
    world.merge()
    # As an older version wrote it, before this run began to wait.
    plan = json.loads((await run.artifacts())[PLAN])
    *_, former = texts(purpose(EnableRequest.model_validate(world.parameters), {}, Layout()), plan, shown)
    assert former != pull["body"]
    world.as_reviewer("PATCH", "/pulls/1", json={"body": former})
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    assert await published(run) != shown, "what is left to do is another plan; the approved one counts"
    assert f"Plan {shown[:12]} is carried out: approved by the merge of pull request #1" in await run.logs()


@pytest.mark.long
async def test_of_a_change_that_came_another_way_no_merge_is_said_to_have_approved_the_plan(
    world: World, tmp_path: Path
) -> None:
    run = await at_the_gate(world)
    shown = await published(run)
    world.land_by_hand(tmp_path)
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    (pull,) = world.pulls("open")
    log = await run.logs()
    assert (
        f"Plan {shown[:12]} is carried out: shown by pull request #1, whose change came by another way than "
        f"[pull request #1]({pull['html_url']}), which is open."
    ) in log
    assert "approved by the merge" not in log
    records = json.loads((await run.artifacts())["records-data-emea-ember"])
    assert {record["pull_request"] for record in records} == {None}


@pytest.mark.long
async def test_a_plan_that_cannot_be_found_stops_the_run(world: World) -> None:
    run = await at_the_gate(world)
    (pull,) = world.pulls()
    world.merge()
    world.sync()
    world.as_reviewer("PATCH", "/pulls/1", json={"body": "I know better."})
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert "its text was changed or may be hidden" in str(run.error)

    world.as_reviewer("PATCH", "/pulls/1", json={"body": pull["body"]})
    async with get_client() as client:
        wanted = ArtifactFilter.model_validate({"key": {"any_": [PLAN]}})
        for artifact in await client.read_artifacts(artifact_filter=wanted):
            await client.delete_artifact(artifact.id)
    assert await retry(run) == "Failed"
    assert f"Prefect, plan {plan_of(pull['body'])}: is not among the published plans" in str(run.error)
    assert [one for one in traffic.writes() if one.startswith("Vault")] == []


@pytest.mark.long
async def test_a_refused_plan_is_not_carried_out_whatever_people_write_on_its_pull_request(
    world: World,
) -> None:
    refused = await at_the_gate(world, token_ttl="2h")
    (first,) = world.pulls()
    world.as_reviewer("PATCH", "/pulls/1", json={"state": "closed"})
    await refused.resume()
    assert await refused.go() == "Failed"
    run = await at_the_gate(world)
    shown = await published(run)

    hidden = f"<!--\nPlan: `{plan_of(first['body'])}`\n-->"
    body = world.as_reviewer("GET", "/pulls/2").json()["body"]
    # Renders as the run's own plan alone: the line break is a blank, the definition of a link is not shown.
    title = f'[x]: /u "\nPlan: `{plan_of(first["body"])}`\n"'
    unseen = body.replace(f"Plan: `{shown}`", f"Plan:\n`{shown}`\n\n{title}")
    world.as_reviewer("PATCH", "/pulls/2", json={"body": unseen})
    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert world.as_reviewer("GET", "/pulls/2").json()["body"] == body, "put right while it is open"
    world.as_reviewer("PATCH", "/pulls/2", json={"body": f"{body}\n{hidden}"})
    world.merge()
    world.sync()
    world.as_reviewer("POST", "/issues/1/comments", json={"body": "Changed last."})
    world.as_reviewer("PATCH", "/pulls/2", json={"body": unseen})
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert "pull request #2: the pipeline's part of its text was changed" in str(run.error)
    assert [one for one in traffic.writes() if one.startswith("Vault")] == []

    world.as_reviewer("PATCH", "/pulls/2", json={"body": f"{body}\n{hidden}"})
    assert await retry(run) == "Completed", run.error
    assert f"Plan {shown[:12]} is carried out: approved by the merge of pull request #2" in await run.logs()
    assert world.vault.request("GET", ROLE)["data"]["token_ttl"] == 3600


@pytest.mark.long
async def test_with_approve_only_a_person_who_ticks_it_lets_the_shown_plan_through(
    world: World,
) -> None:
    await landed(world)
    traffic = Traffic(world)
    run = await at_the_gate(world, approve=True, token_ttl="2h")
    assert f"- `{ROLE}` **is created**: " in await form(run)
    assert "group/vault-admins-emea`" not in await form(run), "it stays as it is"
    assert "token_ttl: 7200" in await form(run)
    assert re.fullmatch(
        rf"waits for the approval of plan {(await published(run))[:12]}, since \d{{4}}-.* UTC",
        await waits_for(run),
    )

    watcher = await Run.create(watch_merges, {})
    assert await watcher.go() == "Completed", watcher.error
    assert (await run.read()).state_name == "Suspended", "the merge that the watcher looks for is not awaited"
    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert "Resumed without approving plan" in await run.logs()

    # Approved, but meanwhile somebody wrote what the form did not show.
    world.as_vault_admin("POST", "identity/group/name/vault-admins-emea", {"type": "external"})
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    world.as_vault_admin(
        "POST", ROLE, world.foreign_role() | {"token_policies": ["emea-kv-r"], "token_ttl": "9h"}
    )
    traffic.forget()
    await run.resume({"approved": True, "note": "looks right"})
    assert await run.go() == "Suspended", run.error
    log = await run.logs()
    assert "looks right" in log
    assert "token_ttl: 32400 → 7200" in log
    assert "token_ttl: 32400 → 7200" in await form(run)
    assert traffic.writes() == []

    await run.resume({"approved": True})
    assert await run.go() == "Completed", run.error
    assert len(world.pulls()) == 1
    assert world.vault.request("GET", ROLE)["data"]["token_ttl"] == 7200

    # What changes nothing waits for nobody.
    assert await run.again() == "Completed", run.error
    assert "is carried out: it changes nothing." in await run.logs()
    steps = [task.name for task in await run.tasks()]
    assert ("no pull request is needed" in steps, "open the pull request" in steps) == (True, False)
