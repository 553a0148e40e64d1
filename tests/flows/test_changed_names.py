"""Names that somebody changes while a run waits at the gate: nothing is written that nobody approved."""

from __future__ import annotations

from typing import Any

import pytest

from bench.traffic import Traffic
from runbook.conventions import RUNBOOK, Conventions
from runbook.errors import PlanMoved, PrerequisiteMissing
from tests.run import Run, at_the_gate, enable, land
from tests.world import World


async def changed_at_the_gate(world: World, names: dict[str, Any]) -> Run:
    """A run that ends once its change is merged; its token could write everything."""
    world.connect(vault__token=world.vault.root_token, vault__pinned_policy=False)
    run = await at_the_gate(world, conventions=world.describe(RUNBOOK))
    world.describe(Conventions.model_validate(names))
    traffic = Traffic(world)
    await land(world, run)
    assert await run.go() == "Failed"
    assert [one for one in traffic.writes() if one.startswith("Vault")] == []
    return run


@pytest.mark.long
async def test_a_policy_that_got_another_name_is_not_written_until_a_run_has_shown_it(world: World) -> None:
    run = await changed_at_the_gate(world, {"policies": {"environment": "{env}-readers"}})
    assert isinstance(run.error, PlanMoved)
    assert "would be written without approval: policy/emea-readers, which is not in the plan" in str(
        run.error
    )
    assert "A new run makes a new plan" in run.error.remedy
    again = await enable(world, conventions=f"conventions-{world.suffix}")
    assert await again.go() == "Completed", again.error
    role = world.vault.request("GET", "auth/ember-k8s/role/emea-ops")["data"]
    assert role["token_policies"] == ["emea-readers"]


@pytest.mark.long
async def test_names_that_are_not_those_that_were_merged_end_the_run(world: World) -> None:
    run = await changed_at_the_gate(world, {"auth_mount": "k8s/{cluster}", "role": "{env}-reader"})
    assert isinstance(run.error, PrerequisiteMissing)
    assert "mountPath is ember-k8s, not k8s/ember; payments, web: role is emea-ops, not emea-reader" in str(
        run.error
    )
    assert "or its bases: a run does not rewrite a SecretStore. If it is right, correct" in run.error.remedy
    assert "or the conventions" in run.error.remedy
