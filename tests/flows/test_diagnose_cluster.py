"""The diagnosis as a run of its own, and at the end of a run that could not prove the login."""

from __future__ import annotations

import json
from typing import Any

from flows.diagnose_cluster import diagnose_cluster
from runbook.errors import VerificationFailed
from tests.traffic import Traffic
from tests.world import Run, World, enable

CONFIG = "auth/ember-k8s/config"


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
