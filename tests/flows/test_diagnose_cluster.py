"""The diagnosis as a run of its own, and at the end of a run that could not prove the login."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from prefect import flow

from bench.traffic import Traffic
from flows.diagnose_cluster import diagnose_cluster
from runbook.application_names import ApplicationNames
from runbook.errors import VerificationFailed
from runbook.request import EnableRequest
from tasks.verify import verify_login
from tests.run import Run, enable, enabled, land
from tests.secrets.faults import everybody_reads_everything
from tests.tables import rows_of
from tests.world import World

CONFIG = "auth/ember-k8s/config"
ROLE = "auth/ember-k8s/role/emea-ops"


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
    table = rows_of((await run.artifacts())["diagnosis-emea-ember"])
    assert {row.split("**")[1].split(":")[0] for row in table} == {"Prefect", "Vault", "OpenShift"}
    assert not [row for row in table if "❌" in row]
    assert traffic.seen() > 20
    assert traffic.writes() == []

    write_dead_jwt(world)
    assert await run.again() == "Failed"
    assert isinstance(run.error, VerificationFailed)
    message = str(run.error)
    # Nothing tells it from a Vault that does not reach the cluster, or from a disabled entity.
    assert message.startswith(
        "Vault, login of payments/vault-secret-fetcher: is refused, though all that we can check is right "
        "and the API server accepts the reviewer JWT of our record: written at "
    )
    record = json.loads((await enabling.artifacts())["reviewer-emea-ember"])[0]
    assert f"sha256 {record['sha256'][:16]}" in message
    assert f"of ServiceAccount uid {record['service_account_uid']}" in message
    assert "the Secret still has that token. " in message
    assert message.endswith("run enable-cluster again: it writes the reviewer's present token.")
    assert "or somebody has written another JWT since" in await run.logs()

    # A proof that fails names the Application to sync as preflight found it.
    world.delete_service_account("payments", "vault-secret-fetcher")
    request = EnableRequest.model_validate(world.parameters)
    names = ApplicationNames("apps-osc", "resources-osc", "operators-osc")

    @flow(name="only-the-proof")
    async def only_the_proof() -> None:
        await verify_login(request, names, (), {"changes": []})

    proof = await Run.create(only_the_proof, {})
    assert await proof.go() == "Failed"
    assert isinstance(proof.error, VerificationFailed)
    assert proof.error.remedy == "In ArgoCD, sync resources-osc; it comes with the pull request."
    assert proof.error.remedy in await proof.logs()
    assert "resources-osc" in str((await proof.read()).state)


@pytest.mark.long
async def test_no_remedy_is_given_that_a_run_has_just_tried(world: World) -> None:
    """Vault refuses the logins of disabled entities with the words of a failed review."""
    run = await enabled(world)
    entities = world.vault.request("LIST", "identity/entity/id")["data"]["keys"]
    for entity in entities:
        world.as_vault_admin("POST", f"identity/entity/id/{entity}", {"disabled": True})
    assert await run.again() == "Failed"
    of_run = str(run.error)
    assert "is refused, but not because of the reviewer JWT: our record: written at " in of_run
    assert "Another run would change nothing. Ask Vault's operators" in of_run
    diagnosis = await diagnose(world)
    assert await diagnosis.go() == "Failed"
    assert str(diagnosis.error) == of_run
    for entity in entities:
        world.as_vault_admin("POST", f"identity/entity/id/{entity}", {"disabled": False})
    assert await run.again() == "Completed", run.error


@pytest.mark.long
@pytest.mark.parametrize("completes", [True, False])
async def test_the_mode_is_that_of_the_last_run_whatever_the_parameters_say(
    world: World, completes: bool
) -> None:
    run = await enable(
        world, policy_scope="cluster", reviewer_token="token-request", service_account="fetcher"
    )
    assert await run.go() == "Suspended", run.error
    await land(world, run)
    end = "Completed" if completes else "Failed"
    # What it proves last is not so.
    with nullcontext() if completes else everybody_reads_everything(world.vault):
        assert await run.go() == end, run.error
        diagnosis = await diagnose(world)
        assert await diagnosis.go() == end, diagnosis.error
    table = rows_of((await diagnosis.artifacts())["diagnosis-emea-ember"])
    (mode,) = [row for row in table if "**Prefect: In which mode was the cluster enabled?**" in row]
    assert mode.endswith(
        "policy_scope=cluster, reviewer_token=token-request, service_account=fetcher, by run "
        f"{run.id}; the parameters say policy_scope=env, reviewer_token=secret"
    )


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
        f"Vault, {ROLE}: accepts logins only from 10.0.0.0/8 (token_bound_cidrs); those of this worker come "
        "from 127.0.0.1, unless they pass a NAT"
    )
    remedy = (
        "Add the addresses of the cluster's nodes and of this worker to token_bound_cidrs, or clear it: "
        f"`vault write {ROLE} token_bound_cidrs=`."
    )
    assert str(run.error) == f"{line}. {remedy}"
    failed = [task.name for task in await run.tasks() if task.state and task.state.is_failed()]
    assert failed == ["verify the login"]
    cause, *wrong = rows_of((await run.artifacts())["diagnosis-emea-ember"])[:4]
    assert cause.startswith("**Cause:** Vault, ")
    assert [row.split("**")[:2] for row in wrong] == [
        ["❌ wrong: ", "Vault: Does the role accept logins from our address?"],
        ["❌ wrong: ", "Vault: Does payments/vault-secret-fetcher log in?"],
        ["❌ wrong: ", "Vault: Does web/vault-secret-fetcher log in?"],
    ]
    assert f"{ROLE}: accepts logins only from 10.0.0.0/8" in wrong[0]
    assert f"{line}. {remedy}" in await run.logs()
    assert "report-emea-ember" not in await run.artifacts()

    # The remedy is one.
    world.as_vault_admin("POST", ROLE, {"token_bound_cidrs": ""})
    assert await run.again() == "Completed", run.error
