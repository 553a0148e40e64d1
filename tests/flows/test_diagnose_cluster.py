"""The diagnosis as a run of its own, and at the end of a run that could not prove the login."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.diagnose_cluster import diagnose_cluster
from runbook.errors import VerificationFailed
from tests.traffic import Traffic
from tests.world import Run, World, enable

CONFIG = "auth/ember-k8s/config"
ROLE = "auth/ember-k8s/role/emea-ops"


async def enabled(world: World) -> Run:
    """An enabled cluster; the run that did it."""
    run = await enable(world)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    await run.resume()
    assert await run.go() == "Completed", run.error
    return run


async def diagnose(world: World) -> Run:
    names = ("cluster", "env", "namespaces", "vault", "cluster_connection")
    return await Run.create(diagnose_cluster, {name: world.parameters[name] for name in names})


def write_dead_jwt(world: World) -> None:
    config: dict[str, Any] = world.vault.request("GET", CONFIG)["data"]
    config.pop("token_reviewer_jwt_set", None)
    world.as_vault_admin("POST", CONFIG, {**config, "token_reviewer_jwt": "eyJhbGciOiJSUzI1NiJ9.e30.AA"})


async def test_a_diagnosis_proves_the_login_or_says_the_cause_and_writes_nothing(world: World) -> None:
    enabling = await enabled(world)
    traffic = Traffic(world)
    run = await diagnose(world)
    assert await run.go() == "Completed", run.error
    assert (await run.read()).name == "diagnose emea/ember"
    assert "emea/ember: the login works" in await run.logs()
    table = json.loads((await run.artifacts())["diagnosis-emea-ember"])
    assert {row["system"] for row in table} == {"Vault", "OpenShift"}
    assert not [row for row in table if "❌" in row[""]]
    assert traffic.seen() > 20
    assert traffic.writes() == []

    write_dead_jwt(world)
    assert await run.again() == "Failed"
    assert isinstance(run.error, VerificationFailed)
    message = str(run.error)
    assert message.startswith(
        "Vault, auth/ember-k8s/config: Vault's reviewer JWT is not accepted by the API server; all else is "
        "right; our record: written at "
    )
    record = json.loads((await enabling.artifacts())["reviewer-emea-ember"])[0]
    assert f"sha256 {record['sha256'][:16]}" in message
    assert f"of ServiceAccount uid {record['service_account_uid']}" in message
    assert "the Secret still holds that token, so somebody wrote another one to Vault" in message
    assert message.endswith("it writes the reviewer's token of today, which is accepted.")
    assert "not accepted by the API server" in await run.logs()


@pytest.mark.long
async def test_a_run_that_cannot_prove_the_login_ends_with_the_diagnosed_cause_and_its_table(
    world: World,
) -> None:
    run = await enabled(world)
    # Somebody narrows the role by hand. It is a field that a run leaves as it is.
    role = world.vault.request("GET", ROLE)["data"]
    world.as_vault_admin("POST", ROLE, {**role, "token_bound_cidrs": ["10.0.0.0/8"]})

    assert await run.again() == "Failed"
    assert isinstance(run.error, VerificationFailed)
    line = (
        f"Vault, {ROLE}: accepts logins only from 10.0.0.0/8 (token_bound_cidrs); from here they come from "
        "127.0.0.1, unless something on the way translates it"
    )
    remedy = (
        "Add the addresses of the cluster's nodes and of this worker to token_bound_cidrs, or clear it: "
        f"`vault write {ROLE} token_bound_cidrs=`."
    )
    assert str(run.error) == f"{line}. {remedy}"
    failed = [task.name for task in await run.tasks() if task.state and task.state.is_failed()]
    assert failed == ["verify the login"]
    table = json.loads((await run.artifacts())["diagnosis-emea-ember"])
    wrong = [row for row in table if "❌" in row[""]]
    assert [row["question"] for row in wrong] == [
        "Does the role accept logins from our address?",
        "Does payments/vault-secret-fetcher log in?",
        "Does web/vault-secret-fetcher log in?",
    ]
    assert f"{ROLE}: accepts logins only from 10.0.0.0/8" in wrong[0]["answer"]
    assert f"{line}. {remedy}" in await run.logs()
    assert "report-emea-ember" not in await run.artifacts()

    # The remedy is one.
    world.as_vault_admin("POST", ROLE, {"token_bound_cidrs": ""})
    assert await run.again() == "Completed", run.error
