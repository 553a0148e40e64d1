"""A flow run that is executed in this very process, against the real Prefect server of the session."""

from __future__ import annotations

import inspect
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import ArtifactSort, LogSort, TaskRunSort
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.logging.handlers import APILogHandler

from flows.enable_cluster import enable_cluster
from tests.world import World


class Run:
    """One flow run of a deployment, executed in this process each time `go` is called."""

    def __init__(self, flow: Flow[..., Any], id_: UUID) -> None:
        self.flow = flow
        self.id = id_
        self.error: BaseException | None = None

    @classmethod
    async def create(cls, flow: Flow[..., Any], parameters: dict[str, Any]) -> Run:
        """Create the run as the UI does: from a deployment, parameters checked by the server."""
        async with get_client() as client:
            deployment = await client.create_deployment(
                await client.create_flow(flow),
                name="test",
                enforce_parameter_schema=True,
                parameter_openapi_schema=flow.parameters.model_dump_for_openapi(),
            )
            run = await client.create_flow_run_from_deployment(deployment, parameters=parameters)
        return cls(flow, run.id)

    async def go(self) -> str:
        """Execute until it ends or suspends; returns the name of the state it is in then."""
        self.error = None
        try:
            result = run_flow(self.flow, flow_run=await self.read())
            if inspect.isawaitable(result):
                await result
        except Pause:
            pass
        except Exception as error:  # noqa: BLE001 - whatever the flow raises is what the test looks at
            self.error = error
        state = (await self.read()).state
        assert state is not None
        assert state.name is not None
        return state.name

    async def again(self) -> str:
        """A new run of the same flow with the same parameters, executed; this object stands for it then."""
        made = await Run.create(self.flow, (await self.read()).parameters)
        self.id = made.id
        return await self.go()

    async def resume(self, run_input: dict[str, Any] | None = None) -> None:
        """Wake it up, as the UI, the watcher or an automation does."""
        async with get_client() as client:
            await client.resume_flow_run(self.id, run_input=run_input)

    async def read(self) -> FlowRun:
        """The run as the server has it."""
        async with get_client() as client:
            return await client.read_flow_run(self.id)

    async def tasks(self) -> list[TaskRun]:
        """All task runs, oldest first."""
        async with get_client() as client:
            return await client.read_task_runs(
                flow_run_filter=_only(self.id), sort=TaskRunSort.EXPECTED_START_TIME_ASC
            )

    async def artifacts(self) -> dict[str, Any]:
        """The newest artifact of each key."""
        async with get_client() as client:
            found = await client.read_artifacts(
                artifact_filter=ArtifactFilter.model_validate({"flow_run_id": {"any_": [self.id]}}),
                sort=ArtifactSort.CREATED_DESC,
            )
        return {artifact.key or "": artifact.data for artifact in reversed(found)}

    async def logs(self) -> str:
        """The run's log, with what this process has not sent yet."""
        await APILogHandler.aflush()
        async with get_client() as client:
            entries = await client.read_logs(
                LogFilter.model_validate({"flow_run_id": {"any_": [self.id]}}), sort=LogSort.TIMESTAMP_ASC
            )
        return "\n".join(entry.message for entry in entries)


def _only(run: UUID) -> Any:

    return FlowRunFilter.model_validate({"id": {"any_": [run]}})


async def enable(world: World, **changes: Any) -> Run:
    """A run of `enable-cluster` for the world's cluster, created and not started."""
    return await Run.create(enable_cluster, world.parameters | changes)


async def at_the_gate(world: World, **changes: Any) -> Run:
    """A run that waits for the merge of its pull request."""
    run = await enable(world, **changes)
    assert await run.go() == "Suspended", run.error
    return run


async def land(world: World, run: Run) -> None:
    """Merge the pull request, sync the cluster, and wake the run."""
    world.merge()
    world.sync()
    await run.resume()


async def enabled(world: World, **changes: Any) -> Run:
    """A run that has enabled the cluster."""
    run = await at_the_gate(world, **changes)
    await land(world, run)
    assert await run.go() == "Completed", run.error
    return run
