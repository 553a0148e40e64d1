"""Whole runs with exactly the rights that the project's commands print for them, and not one more."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.traffic import Traffic
from deployments.openshift.account import account_manifests
from deployments.vault.policy import pipeline_policy
from runbook.conventions import PolicyScope
from runbook.request import ReviewerToken
from sandbox.cluster_account import ClusterAccount
from tests.flows.plans import PLAN
from tests.rights import EMBER, account_kubeconfig, printed_policy, token_with
from tests.run import Run, enable, enabled
from tests.tables import rows_of
from tests.world import World


async def report_of(run: Run) -> str:
    return str((await run.artifacts())["report-emea-ember"])


@pytest.mark.long
@pytest.mark.parametrize(("scope", "mode"), [("env", "secret"), ("cluster", "token-request")])
async def test_a_run_passes_with_the_printed_rights_alone(
    world: World, scope: PolicyScope, mode: ReviewerToken
) -> None:
    token = token_with(world.vault, printed_policy(world.vault, scopes=[scope]))
    kubeconfig = account_kubeconfig(world.kubernetes.admin_kubeconfig, [mode])
    world.connect(vault__token=token, cluster__kubeconfig=kubeconfig)
    parameters = {"policy_scope": scope, "reviewer_token": mode}
    report = await report_of(await enabled(world, **parameters))
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report
    if scope == "cluster":
        assert "its session has the policy emea-ember-kv-r" in report
        assert "its session may not read k8s_secrets/emea/not-ember/: refused (403)" in report

    again = await enable(world, **parameters)
    assert await again.go() == "Completed", again.error
    assert "Nothing; everything was as wanted." in await report_of(again)


@pytest.mark.long
async def test_a_plan_passes_with_rights_that_change_nothing(world: World) -> None:
    accessor = world.vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    manifests = yaml.safe_dump_all(account_manifests(["payments", "web"], read_only=True))
    account = ClusterAccount(Path(world.kubernetes.admin_kubeconfig), manifests)
    account.create()
    world.vault.request("DELETE", "identity/group/name/vault-admins-emea")
    world.connect(
        vault__token=token_with(world.vault, pipeline_policy([EMBER], accessor, read_only=True)),
        cluster__kubeconfig=account.kubeconfig("ember"),
        gitops__token=world.github.token_of("read-only"),
    )
    traffic = Traffic(world)
    run = await enable(world, plan_only=True)
    assert await run.go() == "Completed", run.error
    assert traffic.writes() == []
    assert (await run.read()).name == "plan emea/ember"
    artifacts = await run.artifacts()
    assert PLAN in artifacts
    later = [row for row in rows_of(artifacts["preflight-emea-ember"]) if "carry out the plan" in row]
    propose, rights, values, capabilities = sorted(later, key=lambda row: row.split("**")[1])
    assert "**GitHub: We may propose a change**" in propose
    assert "**OpenShift: Our rights on the cluster**" in rights
    assert {row.split(":")[0] for row in later} == {"⚠️ warning"}
    assert "--read-only" not in capabilities
    assert "vault write identity/group/name/vault-admins-emea" in values
    assert "sys/policies" not in values, "that is the pipeline's own to do"

    writes = await enable(world)
    assert await writes.go() == "Failed"
    assert (await writes.read()).name == "enable emea/ember"
    assert traffic.writes() == []
    assert "Also not met (2)" in str(writes.error)


@pytest.mark.long
async def test_a_run_that_logs_in_by_itself_outlives_its_sessions_and_leaves_none(world: World) -> None:
    vault = world.vault
    vault.request("PUT", "sys/policies/acl/narrow", {"policy": printed_policy(vault)})
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

    report = await report_of(await enabled(world))

    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report
    asked = [entry["request"] for entry in vault.audit_entries(position) if entry["type"] == "request"]
    assert [one["path"] for one in asked].count("auth/approle/login") >= 7, "each step logs in"
    assert [one["path"] for one in asked if "x-correlation-id" not in one.get("headers", {})] == []
    assert set(vault.request("LIST", "auth/token/accessors")["data"]["keys"]) == before
