"""The Job `deploy`: its own script, run against a Prefect server as its container would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.environment import CHECKOUT
from sandbox.prefect_server import PrefectServer
from tests.deployments.kubernetes.conftest import Objects
from tests.deployments.kubernetes.rendered import FOLDER, IMAGE

pytestmark = pytest.mark.e2e


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectServer]:
    """A server without a work pool of this name."""
    with PrefectServer(tmp_path / "prefect") as made:
        made.api.request("DELETE", "/work_pools/enablement")
        yield made


def test_it_makes_pool_deployments_and_automations_and_keeps_the_limit_of_a_pool_that_is_there(
    server: PrefectServer, build: Callable[[str], Objects]
) -> None:
    (job,) = (one for one in build("base") if one["kind"] == "Job" and one["metadata"]["name"] == "deploy")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    shell, options, script = container["args"]
    (mount,) = (one["mountPath"] for one in container["volumeMounts"] if one["name"] == "work-pool")
    variables = {
        **server.environment,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ENABLEMENT_NAMESPACE": "enablement",
    }

    def run(image: str) -> None:
        subprocess.run(
            [shell, options, script.replace(mount, str(FOLDER / "base"))],
            env={**variables, "ENABLEMENT_IMAGE": image},
            cwd=CHECKOUT,
            check=True,
        )

    run("registry.example.com/old")
    pool = server.api.request("GET", "/work_pools/enablement")
    assert (pool["type"], pool["concurrency_limit"]) == ("kubernetes", 20)
    server.api.request("PATCH", "/work_pools/enablement", {"concurrency_limit": 7})
    run(IMAGE)
    pool = server.api.request("GET", "/work_pools/enablement")
    assert pool["concurrency_limit"] == 7
    manifest = pool["base_job_template"]["job_configuration"]["job_manifest"]
    assert manifest["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    assert manifest["metadata"]["namespace"] == "enablement"
    deployment = server.api.deployment("enable-cluster/enable-cluster")
    assert deployment["work_pool_name"] == "enablement"
    assert server.api.request("POST", "/automations/count") > 0
