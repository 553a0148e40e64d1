"""Whole runs with exactly the rights that the project's commands print for them, and not one more."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.vault.policy import pipeline_policy
from runbook.request import PolicyScope, ReviewerToken
from tests.rights import EMBER, cluster_account, token_with
from tests.world import World, enable


async def run_to_the_end(world: World, **changes: Any) -> str:
    """Run, merge, sync, resume; returns the report."""
    run = await enable(world, **changes)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    return str((await run.artifacts())["report-emea-ember"])


def narrow_kubeconfig(world: World, mode: ReviewerToken) -> str:
    account = cluster_account(world.kubernetes.admin_kubeconfig, [mode])
    account.create()
    return account.kubeconfig("ember")


@pytest.mark.long
@pytest.mark.parametrize(("scope", "mode"), [("env", "secret"), ("cluster", "token-request")])
async def test_a_run_passes_with_the_printed_rights_alone(
    world: World, scope: PolicyScope, mode: ReviewerToken
) -> None:
    token = token_with(world.vault, pipeline_policy([EMBER], [scope]))
    world.connect(vault__token=token, cluster__kubeconfig=narrow_kubeconfig(world, mode))
    parameters = {"policy_scope": scope, "reviewer_token": mode}
    report = await run_to_the_end(world, **parameters)
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report

    again = await enable(world, **parameters)
    assert await again.go() == "Completed", again.error
    assert "Nothing; everything was as wanted." in (await again.artifacts())["report-emea-ember"]


@pytest.mark.long
async def test_a_run_that_logs_in_by_itself_outlives_its_sessions_and_leaves_none(world: World) -> None:
    vault = world.vault
    vault.request("PUT", "sys/policies/acl/narrow", {"policy": pipeline_policy([EMBER])})
    vault.request("POST", "sys/auth/approle", {"type": "approle"})
    role = {
        "token_policies": ["narrow"],
        "token_no_default_policy": True,
        # Shorter than the run, and than some of its steps.
        "token_ttl": "1s",
        "token_max_ttl": "1s",
    }
    vault.request("POST", "auth/approle/role/pipeline", role)
    role_id = vault.request("GET", "auth/approle/role/pipeline/role-id")["data"]["role_id"]
    secret_id = vault.request("POST", "auth/approle/role/pipeline/secret-id", {})["data"]["secret_id"]
    world.connect(vault__token=None, vault__approle_role_id=role_id, vault__approle_secret_id=secret_id)
    before = set(vault.request("LIST", "auth/token/accessors")["data"]["keys"])
    position = vault.audit_position()

    report = await run_to_the_end(world)

    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report
    paths = [
        entry["request"]["path"] for entry in vault.audit_entries(position) if entry["type"] == "request"
    ]
    assert paths.count("auth/approle/login") >= 7, "each step logs in"
    assert set(vault.request("LIST", "auth/token/accessors")["data"]["keys"]) == before
