"""What tests of plans look for, and how a person retries a run."""

from __future__ import annotations

import json

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.states import AwaitingRetry

from runbook.plan import plan_sha256
from tests.run import Run, at_the_gate
from tests.world import World

ROLE = "auth/ember-k8s/role/emea-ops"
PLAN = "plan-data-emea-ember"


async def landed(world: World) -> None:
    """The change is on the base branch and on the cluster; nothing is written to Vault."""
    await at_the_gate(world)
    world.merge()
    world.sync()
    world.forget_runs_under_way()


async def published(run: Run) -> str:
    """Hash of the newest plan that the run published."""
    wanted = {"key": {"any_": [PLAN]}, "flow_run_id": {"any_": [run.id]}}
    async with get_client() as client:
        found = await client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(wanted), sort=ArtifactSort.CREATED_DESC, limit=1
        )
    return plan_sha256(json.loads(str(found[0].data)))


async def retry(run: Run) -> str:
    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    return await run.go()


async def form(run: Run) -> str:
    """What the form of a suspended run says."""
    state = (await run.read()).state
    assert state is not None
    keyset = state.state_details.run_input_keyset
    assert keyset is not None
    async with get_client() as client:
        return str(await client.read_flow_run_input(run.id, keyset["description"]))


async def waits_for(run: Run) -> str:
    """What the state of a suspended run says, as lists of runs show it."""
    state = (await run.read()).state
    return str(state and state.message)


def of_the_commit(world: World) -> str:
    """The plan that the one commit of the pull request names."""
    message = world.git("log", "--format=%B", "main..enable-vault/emea/ember")
    (line,) = (line for line in message.splitlines() if line.startswith("Enablement-Plan: "))
    return str(line.removeprefix("Enablement-Plan: "))
