"""A whole run beside what is somebody else's: it stops and names the option; with it, it goes to the end."""

from __future__ import annotations

import pytest

from bench.traffic import Traffic
from runbook.errors import Conflict
from tests.run import at_the_gate, enable, land
from tests.world import World

pytestmark = pytest.mark.long

ROLE = "auth/ember-k8s/role/emea-ops"


async def test_a_foreign_role_is_adopted_and_hands_out_what_it_handed_out_before(world: World) -> None:
    vault = world.vault
    theirs = {
        "bound_service_account_names": ["billing"],
        "bound_service_account_namespaces": ["billing"],
        "token_policies": ["emea-kv-r", "billing"],
        "token_ttl": 3600,
    }
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    vault.request("POST", ROLE, theirs)
    traffic = Traffic(world)
    run = await enable(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    assert "is foreign" in str(run.error)
    assert f"adopt=['{ROLE}']" in str(run.error)
    assert traffic.writes() == []
    assert world.pulls() == []

    run = await at_the_gate(world, adopt=[ROLE])
    (line,) = [
        line
        for line in str((await run.artifacts())["plan-emea-ember"]).splitlines()
        if line.startswith(f"- `{ROLE}` **is updated**, was foreign (")
    ]
    (pull,) = world.pulls()
    (row,) = [line for line in pull["body"].splitlines() if line.startswith(f"| `{ROLE}` |")]
    assert line.endswith(row.rsplit("|", 2)[1].strip()), "the reviewer sees the same"
    await land(world, run)
    assert await run.go() == "Completed", run.error
    assert "| **is updated** | foreign " in row
    assert "token_policies adopted as they stand: hands out the policies billing" in row
    assert "token_policies: " not in row.rsplit("|", 2)[1], "no field of those that are written"
    role = vault.request("GET", ROLE)["data"]
    assert set(role["token_policies"]) == {"emea-kv-r", "billing"}
    assert set(role["bound_service_account_names"]) == {"billing", "vault-secret-fetcher"}
    assert set(role["bound_service_account_namespaces"]) == {"billing", "payments", "web"}
    report = str((await run.artifacts())["report-emea-ember"])
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in report

    traffic = Traffic(world)
    again = await enable(world, adopt=[ROLE])
    assert await again.go() == "Completed", again.error
    assert traffic.writes() == []
