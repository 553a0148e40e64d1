"""Whole runs at a mount that leads to another API server: repaired if it is ours, else left alone."""

from __future__ import annotations

from typing import Any

import pytest

from bench.traffic import Traffic
from runbook.conventions import Conventions
from runbook.errors import Conflict
from runbook.names import Cluster
from sandbox.certificates import CertificateAuthority
from tests.rights import EMBER, printed_policy, token_with
from tests.run import at_the_gate, enable, enabled
from tests.tasks.conftest import client
from tests.world import World

CONFIG = "auth/ember-k8s/config"
PLAN = "plan-emea-ember"
ELSEWHERE: dict[str, Any] = {
    "kubernetes_host": "https://api.ember.apac.example.com:6443",
    "kubernetes_ca_cert": CertificateAuthority("apac").pem,
    "disable_local_ca_jwt": True,
    "token_reviewer_jwt": "eyJh.eyJh.c2ln",
}


def host(world: World) -> str:
    return str(world.vault.request("GET", CONFIG)["data"]["kubernetes_host"])


def somebodys_mount(world: World, role: str) -> None:
    """A cluster that is called the same has the mount."""
    world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    world.as_vault_admin("POST", CONFIG, ELSEWHERE)
    world.as_vault_admin(
        "POST", f"auth/ember-k8s/role/{role}", world.foreign_role() | {"token_policies": ["apac-kv-r"]}
    )


async def test_the_mount_of_a_cluster_of_the_same_name_in_another_environment_is_never_taken(
    world: World,
) -> None:
    # One after the other: for both at once the command prints none.
    policies = [printed_policy(world.vault, [one]) for one in (EMBER, Cluster("apac", "ember"))]
    world.connect(vault__token=token_with(world.vault, "\n".join(policies)))
    somebodys_mount(world, "apac-ops")
    traffic = Traffic(world)
    run = await enable(world, cluster_moved=True)
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    assert f"points to the API server {ELSEWHERE['kubernetes_host']}" in str(run.error)
    assert "and the mount has apac-ops, of another environment" in str(run.error)
    assert traffic.writes() == []
    assert world.pulls() == []


@pytest.mark.long
async def test_a_mount_that_such_a_cluster_takes_while_a_run_waits_stays_with_it(world: World) -> None:
    run = await at_the_gate(world)
    somebodys_mount(world, "apac-ops")
    world.merge()
    world.sync()
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert "and the mount has apac-ops, of another environment" in str(run.error)
    assert traffic.writes() == []


@pytest.mark.long
async def test_a_mount_of_which_no_record_says_that_it_is_ours_is_taken_over_by_the_parameter_alone(
    world: World,
) -> None:
    somebodys_mount(world, "emea-ops")
    world.as_vault_admin("POST", "auth/ember-k8s/role/emea-ops", {"token_policies": ["emea-kv-r"]})
    run = await enable(world)
    assert await run.go() == "Failed"
    assert "no record says that we configured it for emea/ember" in str(run.error)
    assert "cluster_moved=True" in str(run.error)

    run = await enabled(world, cluster_moved=True)
    plan = str((await run.artifacts())[PLAN])
    assert f"taken over with cluster_moved: it leads to {ELSEWHERE['kubernetes_host']}" in plan
    assert host(world) == world.kubernetes.url

    # The record of this mount makes no other one ours.
    world.connect(vault__token=world.vault.root_token, vault__pinned_policy=False)
    world.as_vault_admin("POST", "sys/auth/k8s/ember", {"type": "kubernetes"})
    world.as_vault_admin("POST", "auth/k8s/ember/config", ELSEWHERE)
    described = Conventions.model_validate({"auth_mount": "k8s/{cluster}"})
    run = await enable(world, conventions=world.describe(described))
    assert await run.go() == "Failed"
    assert "auth/k8s/ember/config: is foreign: points to the API server" in str(run.error)
    assert "no record says that we configured it for emea/ember" in str(run.error)


@pytest.mark.long
async def test_host_and_ca_that_drifted_are_repaired_through_a_plan_though_the_old_connection_still_works(
    world: World,
) -> None:
    await enabled(world)
    stolen = token_with(world.vault, printed_policy(world.vault))
    with client(world.vault, stolen) as thief:
        thief.write(CONFIG, ELSEWHERE)
    run = await enable(world)
    assert await run.go() == "Completed", run.error
    plan = str((await run.artifacts())[PLAN])
    assert f"kubernetes_host: {ELSEWHERE['kubernetes_host']} → {world.kubernetes.url}" in plan
    assert "kubernetes_ca_cert: certificate, sha256 " in plan
    assert host(world) == world.kubernetes.url
    assert len(world.pulls()) == 1

    # By hand, since the stolen token may not set these.
    config = world.vault.request("GET", CONFIG)["data"]
    key = {"pem_keys": [CertificateAuthority("thief").pem], "token_reviewer_jwt": "eyJh.eyJh.c2ln"}
    world.as_vault_admin("POST", CONFIG, {**config, **key})
    anybody = {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"]}
    with client(world.vault, stolen) as thief:
        thief.write("auth/ember-k8s/role/emea-ops", anybody | {"token_policies": ["emea-kv-r"]})
    run = await enable(world)
    assert await run.go() == "Failed"
    assert "has pem_keys, which no run of ours sets" in str(run.error)
    assert "may let anybody's ServiceAccount log in: bound_service_account_names=*, " in str(run.error)
