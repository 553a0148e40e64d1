"""What the demo says of a run that it follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runbook.durations import seconds
from sandbox.demo_options import DemoOptions
from sandbox.demo_run import DemoRun
from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.kubernetes_api import KubernetesApi
from sandbox.prefect_server import PrefectServer
from sandbox.processes import SandboxError


@dataclass
class NoInstallation:
    """A Prefect server without a worker."""

    prefect: PrefectServer

    def check(self) -> None:
        """Nothing ends."""

    def wake_ups(self) -> list[str]:
        """Nobody is woken."""
        return []


@pytest.fixture(scope="module")
def deployed(prefect_server: PrefectServer) -> Any:
    """An installation whose runs are made and never start."""
    prefect_server.api.create_work_pool("enablement")
    prefect_server.deploy()
    return NoInstallation(prefect_server)


@contextmanager
def server(directory: Path, kind: str) -> Iterator[Path | None]:
    """The kubeconfig of a server; of none for the sandbox's own cluster, which the options do not name."""
    if kind == "none":
        yield None
        return
    # As kind makes a Kubernetes: no operator, and nobody who would install it.
    with (
        KubernetesApi(directory, openshift=kind == "openshift") as api,
        Cluster(api.admin_kubeconfig) as cluster,
    ):
        if kind == "with an operator":
            for definition in definitions(("v1beta1",)):
                cluster.apply(definition, force=False)
            while cluster.resource("external-secrets.io/v1beta1", "SecretStore") is None:
                cluster.forget()
        yield api.admin_kubeconfig


@pytest.mark.parametrize(
    ("kind", "comes"),
    [("none", False), ("kubernetes", False), ("with an operator", True), ("openshift", True)],
)
def test_a_run_waits_for_an_operator_where_one_may_come_and_has_its_time_beside_that(
    deployed: Any, tmp_path: Path, kind: str, comes: bool
) -> None:
    with server(tmp_path, kind) as kubeconfig:
        run = DemoRun(deployed, DemoOptions(auto=True, kubeconfig=kubeconfig), lambda _line: None)
    api = deployed.prefect.api
    waits = seconds("store_timeout", api.flow_run(run.identifier)["parameters"]["store_timeout"])
    assert (waits > 300) == comes, "an operator looks at a store every 5 minutes"
    assert waits > 300 or waits < 10
    assert run.patience - waits >= 480
    api.request("DELETE", f"/flow_runs/{run.identifier}")


def test_an_auto_run_that_is_given_up_says_what_it_waits_for(deployed: Any) -> None:
    api = deployed.prefect.api
    run = DemoRun(deployed, DemoOptions(auto=True), lambda _line: None)
    with pytest.raises(SandboxError, match=r"still Scheduled after 0 s. It is in no step."):
        run.until_end(0)

    running = {"type": "RUNNING", "name": "Running"}
    api.request("POST", f"/flow_runs/{run.identifier}/set_state", {"state": running, "force": True})
    task = {"flow_run_id": run.identifier, "name": "wait until synced", "task_key": "t", "dynamic_key": "0"}
    api.request("POST", "/task_runs/", {**task, "state": running})
    for second, message in enumerate(
        ("The change is on main.", "ember: ServiceAccount web/fetcher is missing")
    ):
        at = f"2026-01-01T00:00:0{second}Z"
        entry = {"name": "t", "level": 20, "message": message, "timestamp": at, "flow_run_id": run.identifier}
        api.request("POST", "/logs/", [entry])
    with pytest.raises(SandboxError, match=r"It is in: wait until synced. Its last message: ember: Service"):
        run.until_end(0)
    api.request("DELETE", f"/flow_runs/{run.identifier}")
