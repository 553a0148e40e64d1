"""A plan that moves between its approval and the step: what is shown anew, and what stops."""

from __future__ import annotations

import threading

import pytest
from prefect import flow

from bench.traffic import Traffic
from bench.world import REPOSITORY
from runbook.approval import ApprovedPlan
from runbook.errors import AccessDenied, Conflict, PlanMoved
from runbook.objects import Group
from runbook.pull_request import plan_of
from runbook.request import EnableRequest
from tasks.group import write_group
from tests.faults.faults import Point, Script
from tests.faults.proxy import Proxy, Server
from tests.flows.plans import ROLE, of_the_commit, published, retry
from tests.run import Run, at_the_gate, enable, land
from tests.world import World


async def test_a_policy_that_somebody_adds_meanwhile_stops_the_step_with_an_administrators_command(
    world: World,
) -> None:
    request = EnableRequest.model_validate(world.parameters)
    path = "identity/group/name/vault-admins-emea"
    changes = [change.as_json() for change in (Group(request.target).compare_with(None),)]
    approved = ApprovedPlan("0" * 64, changes, None)
    world.as_vault_admin("POST", path, {"type": "external", "policies": ["audit-readers"]})
    traffic = Traffic(world)

    @flow(name="only-the-group")
    async def only_the_group() -> None:
        write_group(request, approved)

    run = await Run.create(only_the_group, {})
    assert await run.go() == "Failed"
    assert isinstance(run.error, AccessDenied)
    assert f"group/vault-admins-emea: our token may not write {path}, which is different" in str(run.error)
    command = f"vault write {path} policies=audit-readers policies=emea-kv-rw"
    assert f"Ask a Vault administrator to run `{command}`" in run.error.remedy
    assert traffic.writes() == [f"Vault: update {path}"], "it was refused"
    assert world.vault.request("GET", path)["data"]["policies"] == ["audit-readers"]


@pytest.mark.long
async def test_a_plan_that_moves_before_the_merge_is_a_new_commit_too_so_that_reviews_are_of_it(
    world: World,
) -> None:
    run = await at_the_gate(world)
    first = await published(run)
    assert of_the_commit(world) == first
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    await run.resume()
    assert await run.go() == "Suspended", run.error
    second = await published(run)
    assert second != first
    (pull,) = world.pulls()
    assert plan_of(pull["body"]) == of_the_commit(world) == second

    writes = Traffic(world)
    await run.resume()
    assert await run.go() == "Suspended", run.error
    assert writes.writes() == [], "the same plan is no new commit"


@pytest.mark.long
@pytest.mark.parametrize("while_it", ["pushes", "rewrites the text"])
async def test_a_merge_in_the_middle_of_an_update_approves_the_plan_that_was_shown_until_then(
    world: World, while_it: str
) -> None:
    real, script = world.github, Script()
    with Proxy(Server(real.url, None, lambda _path: "GitHub"), script) as proxy:
        url, api_url = (
            one.replace(real.url, proxy.url) for one in (real.clone_url(REPOSITORY), real.api_url)
        )
        world.connect(gitops__url=url, gitops__api_url=api_url)
        run = await at_the_gate(world)
        first = await published(run)
        world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
        merged = threading.Event()

        def merge(_place: int, point: Point) -> None:
            pushes = point.method == "POST" and point.path.endswith("/git-receive-pack")
            if (pushes if while_it == "pushes" else point.method == "PATCH") and not merged.is_set():
                merged.set()
                world.merge()
                world.sync()

        script.begin(merge)
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
    run = await at_the_gate(world)
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
    assert "no pull request was needed, so it is this run's first plan" in await run.logs()


@pytest.mark.long
async def test_of_two_runs_with_different_plans_one_has_the_pull_request_and_the_other_waits_its_turn(
    world: World,
) -> None:
    first = await at_the_gate(world)
    second = await enable(world, token_ttl="2h")
    assert await second.go() == "Failed"
    assert isinstance(second.error, Conflict)
    assert "token_ttl='1h', here '2h'" in str(second.error)
    (pull,) = world.pulls()
    assert str(plan_of(pull["body"])) == await published(first)
    await land(world, first)
    assert await first.go() == "Completed", first.error

    assert await retry(second) == "Failed"
    assert isinstance(second.error, PlanMoved)
    assert "token_ttl: 3600 → 7200" in str(second.error)
    third = await enable(world, token_ttl="2h")
    assert await third.go() == "Completed", third.error
