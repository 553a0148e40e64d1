"""The Kubernetes worker asks for just what its Role grants, and writes no credential into a Job."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.prefect_server import PrefectServer
from tests.deployments.kubernetes.conftest import Objects
from tests.deployments.kubernetes.recording_api import NAMESPACE, RecordingApi
from tests.deployments.kubernetes.rendered import job_template
from tests.systems.openshift.scripted_api import kubeconfig

pytestmark = pytest.mark.e2e

CREDENTIAL = "enablement:correct horse"
SECONDS = 90.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectServer]:
    with PrefectServer(
        tmp_path / "prefect",
        PREFECT_SERVER_API_AUTH_STRING=CREDENTIAL,
        PREFECT_API_AUTH_STRING=CREDENTIAL,
    ) as made:
        made.api.request(
            "POST",
            "/work_pools/",
            {"name": "kubernetes", "type": "kubernetes", "base_job_template": job_template()},
        )
        yield made


def until(condition: Callable[[], Any], worker: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    """The worker's variables, without those that only a pod can have."""
    given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    return {**given, "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES": NAMESPACE}


def run_of(server: PrefectServer) -> str:
    flow = server.api.request("POST", "/flows/", {"name": "hello"})["id"]
    deployment = server.api.request(
        "POST", "/deployments/", {"name": "hello", "flow_id": flow, "work_pool_name": "kubernetes"}
    )["id"]
    made = server.api.request(
        "POST", f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}}
    )
    return str(made["id"])


def test_the_worker_asks_for_what_its_role_grants_and_for_nothing_else(
    server: PrefectServer, build: Callable[[str], Objects], tmp_path: Path
) -> None:
    objects = build("base")
    (role,) = (one for one in objects if one["kind"] == "Role")
    granted = {
        (verb, group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    (deployment,) = (
        one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == "worker"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    program, *arguments = (one.replace("pool=enablement", "pool=kubernetes") for one in container["args"])
    with RecordingApi() as kubernetes:
        config = kubeconfig(kubernetes.url, None)
        config["contexts"][0]["context"]["namespace"] = NAMESPACE
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        variables = {
            **server.environment,
            **environment_of(container),
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
        }
        # Each setting of Prefect's that a worker has goes into its Jobs. It has none of the server's.
        del variables["PREFECT_SERVER_API_AUTH_STRING"]
        with subprocess.Popen([Path(sys.executable).with_name(program), *arguments], env=variables) as worker:
            try:
                until(lambda: ("watch", "batch", "jobs") in kubernetes.asked, worker)
                lost = run_of(server)
                (name,) = until(lambda: [*kubernetes.jobs], worker)
                job = kubernetes.jobs[name]
                until(lambda: server.api.flow_run(lost)["infrastructure_pid"], worker)
                # Somebody deletes the Job while its pod starts.
                kubernetes.remove(name)
                until(lambda: server.api.flow_run(lost)["state"]["type"] == "CRASHED", worker)
            finally:
                worker.terminate()
                worker.wait(60)
    assert kubernetes.asked == granted
    assert kubernetes.elsewhere == []
    (started,) = job["spec"]["template"]["spec"]["containers"]
    assert {
        "name": "PREFECT_API_AUTH_STRING",
        "valueFrom": {"secretKeyRef": {"name": "prefect-api", "key": "PREFECT_API_AUTH_STRING"}},
    } in started["env"]
    assert "correct horse" not in json.dumps(job)
