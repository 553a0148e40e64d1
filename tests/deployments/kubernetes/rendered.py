"""What the Kubernetes worker makes of the work pool's job template, by the worker's own code."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.server.schemas.actions import WorkPoolCreate
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration  # type: ignore[import-untyped]

from sandbox.environment import CHECKOUT

FOLDER = CHECKOUT / "deployments" / "kubernetes"
IMAGE = "registry.example.com/enablement@sha256:" + 64 * "0"


def job_template() -> dict[str, Any]:
    """The template as the setup Job gives it to the server, accepted by the server's own check."""
    text = (FOLDER / "base" / "work-pool.json").read_text()
    text = text.replace("ENABLEMENT_IMAGE", IMAGE).replace("ENABLEMENT_NAMESPACE", "enablement")
    template: dict[str, Any] = json.loads(text)
    WorkPoolCreate(name="enablement", type="kubernetes", base_job_template=template)
    return template


async def job_of(run: UUID | None = None, **variables: Any) -> dict[str, Any]:
    """The manifest of a run's Job; ``variables`` are the run's own job variables."""
    # The template names no Block and no variable of the server: nobody is asked.
    nobody = PrefectClient("http://127.0.0.1:9/api")
    configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
        job_template(), variables, client=nobody
    )
    flow_run = FlowRun(id=run or uuid4(), flow_id=uuid4(), name="enable ember")
    configuration.prepare_for_flow_run(flow_run)
    manifest: dict[str, Any] = configuration.job_manifest
    return manifest
