"""Whole runs beside what is somebody else's: they stop and name the option; with it they go to the end."""

from __future__ import annotations

from typing import Any

import pytest

from bench.traffic import Traffic
from runbook.errors import Conflict
from tests.rights import printed_policy, token_with
from tests.run import Run, at_the_gate, enable, land
from tests.world import World

pytestmark = pytest.mark.long

ROLE = "auth/ember-k8s/role/emea-ops"
ALIAS = "vault-admins-emea"
PLAN = "plan-emea-ember"


async def stops(world: World, option: str) -> None:
    """Without the option nothing is written anywhere, and the run says which option there is."""
    traffic = Traffic(world)
    run = await enable(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    assert "is foreign" in str(run.error)
    assert option in str(run.error)
    assert traffic.writes() == []
    assert world.pulls() == []


async def to_the_end(world: World, **option: Any) -> tuple[Run, str]:
    """Run, merge, sync, resume; returns the run and the text of its pull request."""
    run = await at_the_gate(world, **option)
    plan = str((await run.artifacts())[PLAN])
    (pull,) = world.pulls()
    name = next(iter(_names(option)))
    (line,) = [
        line for line in plan.splitlines() if line.startswith(f"- `{name}` **is updated**, was foreign (")
    ]
    assert line.endswith(_row(pull["body"], name).rsplit("|", 2)[1].strip()), "the reviewer sees the same"
    await land(world, run)
    assert await run.go() == "Completed", run.error
    return run, pull["body"]


def _names(option: dict[str, Any]) -> list[str]:
    return option.get("adopt") or [f"group-alias/{ALIAS}"]


def _row(plan: str, subject: str) -> str:
    """The row of a plan's table that an object has."""
    (row,) = [line for line in plan.splitlines() if line.startswith(f"| `{subject}` |")]
    return row


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
    await stops(world, f"adopt=['{ROLE}']")

    run, plan = await to_the_end(world, adopt=[ROLE])
    row = _row(plan, ROLE)
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


async def test_an_alias_of_another_group_is_moved_with_the_rights_that_are_printed_for_it(
    world: World,
) -> None:
    vault = world.vault
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    vault.request("POST", "identity/group/name/people", {"type": "external", "policies": ["audit-readers"]})
    theirs = vault.request("GET", "identity/group/name/people")["data"]["id"]
    alias = {"name": ALIAS, "mount_accessor": accessor, "canonical_id": theirs}
    vault.request("POST", "identity/group-alias", alias)
    world.connect(vault__token=token_with(vault, printed_policy(vault, extras=["move-alias"])))
    await stops(world, "move_alias=True")

    run, plan = await to_the_end(world, move_alias=True)
    row = _row(plan, f"group-alias/{ALIAS}")
    assert "| **is updated** | foreign (moved by move_alias; " in row
    assert f"canonical_id: people ({theirs}) → the group's own id" in row
    ours = vault.request("GET", f"identity/group/name/{ALIAS}")["data"]
    assert (ours["alias"]["name"], ours["alias"]["mount_accessor"]) == (ALIAS, accessor)
    people = vault.request("GET", "identity/group/name/people")["data"]
    assert (people["policies"], people["alias"]) == (["audit-readers"], {})
    assert len(vault.request("LIST", "identity/group-alias/id")["data"]["keys"]) == 1
    assert "logs in at ember-k8s" in str((await run.artifacts())["report-emea-ember"])
