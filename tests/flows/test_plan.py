"""The plan that was approved is the plan that is carried out."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.states import AwaitingRetry

from flows.watch_merges import watch_merges
from runbook.errors import Conflict, PlanMoved, PrerequisiteMissing
from runbook.groups import compare_group
from runbook.plan import plan_sha256
from runbook.pull_request import plan_of
from runbook.request import EnableRequest
from tasks.auth_config import configure_auth_method
from tasks.auth_method import enable_auth_method
from tasks.group import write_group
from tasks.policies import write_policies
from tasks.role import write_role
from tests.secrets.relay import Relay
from tests.traffic import Traffic
from tests.world import REPOSITORY, Run, World, enable

ROLE = "auth/ember-k8s/role/emea-ops"
PLAN = "plan-data-emea-ember"


async def landed(world: World) -> None:
    """The change is on the base branch and on the cluster; nothing is written to Vault."""
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    world.forget_runs_under_way()


async def published(run: Run) -> str:
    """Hash of the newest plan that the run published."""
    wanted = {"key": {"any_": [PLAN]}, "flow_run_id": {"any_": [run.id]}}
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(wanted), sort=ArtifactSort.CREATED_DESC, limit=1
        )
    return plan_sha256(json.loads(str(found[0].data)))


async def retry(run: Run) -> str:
    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    return await run.go()


async def form(run: Run) -> str:
    """What the form of a suspended run says."""
    state = (await run.read()).state
    assert state is not None
    keyset = state.state_details.run_input_keyset
    assert keyset is not None
    async with get_client() as client:
        return str(await client.read_flow_run_input(run.id, keyset["description"]))


async def test_plan_only_publishes_the_plan_and_writes_nothing_anywhere(world: World) -> None:
    traffic = Traffic(world)
    run = await enable(world, plan_only=True)
    assert await run.go() == "Completed", run.error
    assert traffic.writes() == []
    assert traffic.seen() > 10
    assert [task.name for task in await run.tasks()] == ["preflight"]
    artifacts = await run.artifacts()
    plan = json.loads(artifacts[PLAN])
    assert {one["found"] for one in plan["changes"]} == {"absent"}
    assert plan["files"]
    assert f"Plan hash: `{plan_sha256(plan)}`" in artifacts["plan-emea-ember"]
    assert "| `auth/ember-k8s` | **is created** | absent |" in artifacts["plan-emea-ember"]


async def test_no_step_writes_what_the_approved_plan_does_not_have(world: World) -> None:
    request = EnableRequest.model_validate(world.parameters)
    nothing: dict[str, Any] = {"sha256": "0" * 64, "changes": [], "pull_request": None}
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
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    shown = await published(run)
    (pull,) = world.pulls()
    assert plan_of(pull["body"]) == await of_the_commit(world, 1) == shown
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    world.as_vault_admin("POST", "identity/group/name/vault-admins-emea", {"type": "external"})
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    assert await published(run) != shown, "what is left to do is another plan; the approved one counts"
    assert f"Plan {shown[:12]} is carried out: approved by the merge of pull request #1" in await run.logs()


@pytest.mark.long
async def test_of_a_change_that_came_another_way_no_merge_is_said_to_have_approved_the_plan(
    world: World, tmp_path: Path
) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
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
    records = json.loads((await run.artifacts())["records-emea-ember"])
    assert {record["pull_request"] for record in records} == {None}


async def test_a_policy_that_somebody_adds_meanwhile_stops_the_step_with_an_administrators_command(
    world: World,
) -> None:
    request = EnableRequest.model_validate(world.parameters)
    path = "identity/group/name/vault-admins-emea"
    changes = [change.as_json() for change in (compare_group(request.target, None),)]
    approved: dict[str, Any] = {"sha256": "0" * 64, "changes": changes, "pull_request": None}
    world.as_vault_admin("POST", path, {"type": "external", "policies": ["audit-readers"]})
    traffic = Traffic(world)

    @flow(name="only-the-group")
    async def only_the_group() -> None:
        write_group(request, approved)

    run = await Run.create(only_the_group, {})
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    assert (
        "group/vault-admins-emea: policies would be written together with what others have put there"
        in str(run.error)
    )
    command = f"vault write {path} policies=audit-readers policies=emea-kv-rw"
    assert f"Let an administrator run `{command} " in run.error.remedy
    assert traffic.writes() == [], "a refused write would be one, too"


async def of_the_commit(world: World, number: int) -> str:
    """The plan that the one commit of a pull request names."""
    (commit,) = world.as_reviewer("GET", f"/pulls/{number}/commits").json()
    (line,) = (
        line for line in commit["commit"]["message"].splitlines() if line.startswith("Enablement-Plan: ")
    )
    return str(line.removeprefix("Enablement-Plan: "))


@pytest.mark.long
async def test_a_plan_that_moves_before_the_merge_is_a_new_commit_too_so_that_reviews_are_of_it(
    world: World,
) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    first = await published(run)
    assert await of_the_commit(world, 1) == first
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    await run.resume()
    assert await run.go() == "Suspended", run.error
    second = await published(run)
    assert second != first
    (pull,) = world.pulls()
    assert plan_of(pull["body"]) == await of_the_commit(world, 1) == second

    writes = Traffic(world)
    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert writes.writes() == [], "the same plan is no new commit"


@pytest.mark.long
@pytest.mark.parametrize("while_it", ["pushes", "rewrites the text"])
async def test_a_merge_in_the_middle_of_an_update_approves_the_plan_that_was_shown_until_then(
    world: World, while_it: str
) -> None:
    with Relay(world.github.clone_url(REPOSITORY)) as git, Relay(world.github.api_url) as api:
        world.connect(gitops__url=git.url, gitops__api_url=api.url)
        run = await enable(world)
        assert await run.go() == "Suspended", run.error
        first = await published(run)
        world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
        merged = threading.Event()

        def merge(chunk: bytes) -> bool:
            pushes = chunk.startswith(b"POST") and b"/git-receive-pack" in chunk
            if (pushes if while_it == "pushes" else chunk.startswith(b"PATCH")) and not merged.is_set():
                merged.set()
                world.merge()
                world.sync()
            return False

        git.hold = api.hold = merge
        await run.resume()
        assert await run.go() == "Completed", run.error
    assert merged.is_set()
    assert await published(run) != first
    (pull,) = world.pulls()
    assert (pull["number"], plan_of(pull["body"])) == (1, first)
    assert f"Plan {first[:12]} is carried out: approved by the merge of pull request #1" in await run.logs()


@pytest.mark.long
async def test_what_moved_while_it_waited_stops_the_run_before_that_step_and_a_new_run_may_go_on(
    world: World,
) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    theirs = {
        "bound_service_account_names": ["vault-secret-fetcher"],
        "bound_service_account_namespaces": ["payments"],
        "token_policies": ["emea-kv-r"],
        "token_ttl": "9h",
    }
    world.as_vault_admin("POST", ROLE, theirs)
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, PlanMoved)
    assert "token_ttl: 32400 → 3600; the plan has token_ttl: nothing → 3600" in str(run.error)
    assert f"Vault: update {ROLE}" not in traffic.writes()
    assert await run.again() == "Completed", run.error
    assert "no pull request was needed, so this run's first plan counts" in await run.logs()


@pytest.mark.long
async def test_of_two_runs_with_different_plans_one_has_the_pull_request_and_the_other_waits_its_turn(
    world: World,
) -> None:
    first = await enable(world)
    assert await first.go() == "Suspended", first.error
    second = await enable(world, token_ttl="2h")
    assert await second.go() == "Failed"
    assert isinstance(second.error, Conflict)
    assert "token_ttl='1h', here '2h'" in str(second.error)
    (pull,) = world.pulls()
    assert str(plan_of(pull["body"])) == await published(first)
    world.merge()
    world.sync()
    await first.resume()
    assert await first.go() == "Completed", first.error

    assert await retry(second) == "Failed"
    assert isinstance(second.error, PlanMoved)
    assert "token_ttl: 3600 → 7200" in str(second.error)
    third = await enable(world, token_ttl="2h")
    assert await third.go() == "Completed", third.error


@pytest.mark.long
async def test_a_plan_that_cannot_be_found_stops_the_run(world: World) -> None:
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    (pull,) = world.pulls()
    world.merge()
    world.sync()
    world.as_reviewer("PATCH", "/pulls/1", json={"body": "I know better."})
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert "pull request #1: its text names no plan any more" in str(run.error)

    world.as_reviewer("PATCH", "/pulls/1", json={"body": pull["body"]})
    async with get_client() as client:
        wanted = ArtifactFilter.model_validate({"key": {"any_": [PLAN]}})
        for artifact in await client.read_artifacts(artifact_filter=wanted):
            await client.delete_artifact(artifact.id)
    assert await retry(run) == "Failed"
    assert f"Prefect, plan {plan_of(pull['body'])}: is not among the plans" in str(run.error)
    assert [one for one in traffic.writes() if one.startswith("Vault")] == []


@pytest.mark.long
async def test_with_approve_only_a_person_who_ticks_it_lets_the_shown_plan_through(
    world: World,
) -> None:
    await landed(world)
    traffic = Traffic(world)
    run = await enable(world, approve=True, token_ttl="2h")
    assert await run.go() == "Suspended", run.error
    assert f"| `{ROLE}` | **is created** |" in await form(run)
    assert "token_ttl: 7200" in await form(run)

    watcher = await Run.create(watch_merges, {})
    assert await watcher.go() == "Completed", watcher.error
    assert (await run.read()).state_name == "Suspended", "the merge that the watcher looks for is not awaited"
    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert "Resumed without an approval of plan" in await run.logs()

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
