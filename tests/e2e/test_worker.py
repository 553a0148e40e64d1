"""Runs that a separate worker executes: what a Prefect server and a worker do with them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.environment import CHECKOUT
from sandbox.prefect_api import FINAL_STATES, PrefectApi
from sandbox.prefect_server import PrefectServer
from sandbox.processes import SandboxError
from tests.e2e.flow_processes import worker
from tests.eventually import eventually
from tests.merge_service import Service

pytestmark = pytest.mark.e2e

FLOW = """
import os
import time
from prefect import flow, get_run_logger

@flow
def hello(until: str = "."):
    get_run_logger().info("working in %s", os.getcwd())
    personal = [name for name in ("VAULT_TOKEN", "KUBECONFIG") if name in os.environ]
    get_run_logger().info("sees %s", personal)
    while not os.path.exists(until):
        time.sleep(0.1)
"""
DEPLOYMENT = """
deployments:
  - name: hello
    entrypoint: hello.py:hello
    work_pool: {name: enablement}
    concurrency_limit: {limit: 1, collision_strategy: ENQUEUE}
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $ENABLEMENT_CHECKOUT }}"
"""
CREDENTIAL = "enablement:correct horse"
SECONDS = 240.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server with a credential, whose workers run the flow above from a folder that is not the checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "hello.py").write_text(FLOW)
    (checkout / "prefect.yaml").write_text(DEPLOYMENT)
    with PrefectServer(
        tmp_path_factory.mktemp("prefect"),
        ENABLEMENT_CHECKOUT=str(checkout),
        PREFECT_SERVER_API_AUTH_STRING=CREDENTIAL,
        PREFECT_API_AUTH_STRING=CREDENTIAL,
        PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS="1",
        SSL_CERT_FILE=os.environ["SSL_CERT_FILE"],
    ) as prefect:
        prefect.deploy(checkout)
        yield prefect


def state_of(server: PrefectServer, run: str) -> dict[str, Any]:
    server.check()
    state: dict[str, Any] = server.api.flow_run(run)["state"]
    return state


def ended(server: PrefectServer, run: str) -> str:
    """The type of the state in which a run ends."""
    eventually(lambda: state_of(server, run)["type"] in FINAL_STATES, seconds=SECONDS)
    return str(state_of(server, run)["type"])


def reached(server: PrefectServer, run: str, name: str) -> None:
    eventually(lambda: state_of(server, run)["name"] == name, lambda: state_of(server, run), seconds=SECONDS)


def messages(server: PrefectServer, run: str, expected: str) -> list[str]:
    """The run's log, once it holds ``expected``: it is delivered in batches."""

    def log() -> list[str]:
        return [entry["message"] for entry in server.api.logs(run)]

    eventually(lambda: any(expected in message for message in log()), log, seconds=SECONDS)
    return log()


def test_a_run_works_in_the_workers_checkout_sees_nothing_of_the_person_and_has_the_next_one_wait(
    server: PrefectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "personal")
    monkeypatch.setenv("KUBECONFIG", "/personal")
    until = tmp_path / "until"
    with worker(server):
        first = server.api.create_flow_run("hello/hello", {"until": str(until)})
        reached(server, first, "Running")
        second = server.api.create_flow_run("hello/hello")
        reached(server, second, "AwaitingConcurrencySlot")
        until.touch()
        assert [ended(server, run) for run in (first, second)] == ["COMPLETED", "COMPLETED"]
    said = messages(server, first, "sees ")
    assert f"working in {server.environment['ENABLEMENT_CHECKOUT']}" in said
    assert "sees []" in said


def test_a_deployment_that_cannot_be_made_says_why(server: PrefectServer, tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENT)
    with pytest.raises(SandboxError, match=r"hello\.py"):
        server.deploy(tmp_path)


@pytest.mark.parametrize(
    "arguments", [("connect", "vault.yaml"), ("runs", "hello"), ("automations",)], ids=lambda words: words[0]
)
def test_a_command_whose_credential_is_refused_says_what_to_set(
    server: PrefectServer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "vault.yaml").write_text("vault: {address: https://one.example, token: {env: TOKEN}}\n")
    command, *others = arguments
    done = subprocess.run(
        [sys.executable, "-m", f"deployments.{command}", *others],
        env={
            **server.environment,
            "PREFECT_API_AUTH_STRING": "enablement:wrong",
            "PYTHONPATH": str(CHECKOUT),
            "TOKEN": "token",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{server.api_url} refuses the credential (401); set PREFECT_API_AUTH_STRING." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"command": "id"},
        {"env": {"PYTHONPATH": "/tmp/theirs"}},
        {"working_dir": "/tmp/theirs"},
        {"labels": {"x": "y"}, "anything": 1},
    ],
)
def test_no_run_brings_a_command_or_an_environment_of_its_own(
    server: PrefectServer, variables: dict[str, Any]
) -> None:
    path = f"/deployments/{server.api.deployment('hello/hello')['id']}/create_flow_run"
    with pytest.raises(requests.HTTPError, match="Additional properties are not allowed"):
        server.api.request("POST", path, {"job_variables": variables})


def test_whoever_lacks_the_servers_credential_gets_nothing(server: PrefectServer) -> None:
    for given in ("", "enablement:wrong"):
        for path in ("/block_documents/filter", "/flow_runs/filter", "/work_pools/filter"):
            with pytest.raises(requests.HTTPError, match="401"):
                PrefectApi(server.api_url, given).request("POST", path, {"include_secrets": True})


def test_worker_and_service_work_with_the_credential_and_a_worker_without_its_checkout_says_so(
    server: PrefectServer, tmp_path: Path
) -> None:
    """The flows of the checkout, as README installs it."""
    server.deploy()
    with worker(server, ENABLEMENT_CHECKOUT=str(CHECKOUT)):
        run = server.api.create_flow_run("watch-merges/watch-merges")
        assert ended(server, run) == "COMPLETED", server.api.logs(run)
    service = Service(server, tmp_path)
    try:
        service.start()  # returns once it has looked
    finally:
        service.stop_all()
    for checkout in ("", "/no/such/checkout"):
        with worker(server, ENABLEMENT_CHECKOUT=checkout):
            run = server.api.create_flow_run("watch-merges/watch-merges")
            assert ended(server, run) in {"FAILED", "CRASHED"}
            said = f"ENABLEMENT_CHECKOUT of this worker is '{checkout}', which has no checkout."
            messages(server, run, said)
