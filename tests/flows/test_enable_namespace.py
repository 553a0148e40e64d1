"""One more namespace of a cluster that is enabled, from the form to the proved login."""

from __future__ import annotations

from typing import Any

from bench.traffic import Traffic
from flows.enable_namespace import enable_namespace
from runbook.errors import PrerequisiteMissing
from tests.run import Run, enable
from tests.world import World

ROLE = "auth/ember-k8s/role/emea-ops"


async def with_payments(world: World) -> None:
    """The cluster is enabled for one namespace; somebody has changed the role since."""
    run = await enable(world, namespaces=["payments"])
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    world.as_vault_admin("POST", ROLE, {"token_ttl": "2h"})


async def for_web(world: World, **changes: Any) -> Run:
    aside = {"namespaces", "token_ttl"}
    parameters = {name: value for name, value in world.parameters.items() if name not in aside}
    return await Run.create(enable_namespace, parameters | {"namespace": "web"} | changes)


async def test_a_namespace_gets_its_store_by_pull_request_and_its_login_is_proved(world: World) -> None:
    await with_payments(world)
    run = await for_web(world)
    traffic = Traffic(world)
    assert await run.go() == "Suspended", run.error
    pull = world.pulls("open")[0]
    assert (pull["head"]["ref"], pull["title"]) == (
        "enable-namespace/emea/ember/web",
        "Enable External Secrets to the namespace web of emea/ember",
    )
    assert [one for one in traffic.writes() if one.startswith(("Vault", "cluster"))] == [], "before the merge"
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    role = world.vault.request("GET", ROLE)["data"]
    assert sorted(role["bound_service_account_namespaces"]) == ["payments", "web"]
    assert role["token_ttl"] == 7200, "what is not asked for stays as it is"
    report = str((await run.artifacts())["report-namespace-emea-ember-web"])
    assert "web/vault-secret-fetcher logs in at ember-k8s with role emea-ops" in report
    assert f"`{ROLE}`: updated (bound_service_account_namespaces)" in report
    assert "artifact `records-namespace-emea-ember-web`" in report
    assert "records-namespace-emea-ember-web" in await run.artifacts()

    traffic = Traffic(world)
    assert await run.again() == "Completed", run.error
    assert traffic.writes() == []


async def test_a_cluster_that_is_not_enabled_is_said_before_anything_is_proposed(world: World) -> None:
    run = await for_web(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert "the cluster is not enabled" in str(run.error)
    assert "Run enable-cluster for emea/ember first" in str(run.error)
    assert world.pulls() == []
