"""A pod that is told to go, as by a drained node or the Job's deadline: its run starts again, and ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from sandbox.prefect_server import PrefectServer
from tests.deployments.kubernetes.rendered import job_of
from tests.eventually import eventually

pytestmark = pytest.mark.e2e

FLOW = """
import time
from pathlib import Path
from prefect import flow

@flow
def hello(folder: str):
    Path(folder, "started").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.1)
"""
DEPLOYMENT = """
deployments:
  - name: hello
    entrypoint: hello.py:hello
    work_pool: {name: enablement}
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $ENABLEMENT_CHECKOUT }}"
"""
SECONDS = 120.0
GRACE = 60.0
"""Seconds between SIGTERM and SIGKILL, as the job template has them."""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "hello.py").write_text(FLOW)
    (checkout / "prefect.yaml").write_text(DEPLOYMENT)
    with PrefectServer(tmp_path_factory.mktemp("prefect"), ENABLEMENT_CHECKOUT=str(checkout)) as prefect:
        prefect.deploy(checkout)
        yield prefect


async def container(server: PrefectServer, run: str) -> subprocess.Popen[bytes]:
    """The container of a run's Job, as a process, as soon as the worker has taken the run."""
    server.api.request("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "PENDING"}})
    (given,) = (await job_of(UUID(run)))["spec"]["template"]["spec"]["containers"]
    # The settings of the worker's own process, which here is the test's, come along. The server's count.
    variables = {one["name"]: one["value"] for one in given["env"]} | server.environment
    program, *arguments = given["args"]
    return subprocess.Popen([Path(sys.executable).with_name(program), *arguments], env=variables)


async def test_a_run_whose_pod_is_told_to_go_starts_again_and_ends(
    server: PrefectServer, tmp_path: Path
) -> None:
    run = server.api.create_flow_run("hello/hello", {"folder": str(tmp_path)})
    with await container(server, run) as first:
        try:
            eventually((tmp_path / "started").exists)
            first.terminate()
            assert first.wait(GRACE) == 0
        finally:
            first.kill()
    state = server.api.flow_run(run)["state"]
    assert (state["type"], state["name"]) == ("SCHEDULED", "AwaitingRetry")
    (tmp_path / "go").touch()
    with await container(server, run) as second:
        try:
            assert second.wait(SECONDS) == 0
        finally:
            second.kill()
    assert server.api.flow_run(run)["state"]["type"] == "COMPLETED"
