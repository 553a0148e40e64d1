"""Runs that a separate worker executes: what a Prefect server and a worker do with them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.environment import CHECKOUT
from sandbox.ports import is_free
from sandbox.prefect_api import FINAL_STATES, PrefectApi
from sandbox.prefect_server import PrefectServer
from sandbox.processes import SandboxError
from tests.merge_service import Service

pytestmark = pytest.mark.e2e

FLOW = """
import os
import time
from prefect import flow, get_run_logger

@flow
def hello(seconds: float = 0.0):
    get_run_logger().info("working in %s", os.getcwd())
    personal = [name for name in ("VAULT_TOKEN", "KUBECONFIG") if name in os.environ]
    get_run_logger().info("sees %s", personal)
    time.sleep(seconds)
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
SECONDS = 240.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server whose workers run the flow above from a directory that is not the checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "hello.py").write_text(FLOW)
    (checkout / "prefect.yaml").write_text(DEPLOYMENT)
    state = tmp_path_factory.mktemp("prefect")
    with PrefectServer(
        state, ENABLEMENT_CHECKOUT=str(checkout), PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS="1"
    ) as prefect:
        prefect.deploy(checkout)
        prefect.start_worker()
        yield prefect


def ended(server: PrefectServer, run: str) -> dict[str, Any]:
    """The state in which a run ends."""
    deadline = time.monotonic() + SECONDS
    while True:
        server.check()
        state: dict[str, Any] = server.api.flow_run(run)["state"]
        if state["type"] in FINAL_STATES:
            return state
        assert time.monotonic() < deadline, f"still {state['name']}"
        time.sleep(0.2)


def reached(server: PrefectServer, run: str, name: str) -> None:
    deadline = time.monotonic() + SECONDS
    while (found := server.api.flow_run(run)["state"]["name"]) != name:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.2)


def messages(server: PrefectServer, run: str, expected: str) -> list[str]:
    """The run's log, once it holds ``expected``: it is delivered in batches."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = [entry["message"] for entry in server.api.logs(run)]
        if any(expected in message for message in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_a_run_works_in_the_checkout_that_the_worker_names(server: PrefectServer) -> None:
    run = server.api.create_flow_run("hello/hello")
    assert ended(server, run)["type"] == "COMPLETED"
    assert f"working in {server.environment['ENABLEMENT_CHECKOUT']}" in messages(server, run, "working in")


def test_a_run_sees_nothing_of_the_person(server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "personal")
    monkeypatch.setenv("KUBECONFIG", "/personal")
    server.start_worker("started-in-a-personal-shell")
    server.stop_worker("worker")
    run = server.api.create_flow_run("hello/hello")
    assert ended(server, run)["type"] == "COMPLETED"
    assert "sees []" in messages(server, run, "sees ")
    server.start_worker("worker")
    server.stop_worker("started-in-a-personal-shell")


def test_a_second_run_waits_while_the_first_one_works(server: PrefectServer) -> None:
    first = server.api.create_flow_run("hello/hello", {"seconds": 10})
    reached(server, first, "Running")
    second = server.api.create_flow_run("hello/hello")
    reached(server, second, "AwaitingConcurrencySlot")
    assert [ended(server, run)["type"] for run in (first, second)] == ["COMPLETED", "COMPLETED"]


def test_a_deployment_that_cannot_be_made_says_why(server: PrefectServer, tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENT)
    with pytest.raises(SandboxError, match=r"hello\.py"):
        server.deploy(tmp_path)


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


def test_whoever_lacks_the_servers_credential_gets_nothing_and_worker_and_service_have_it(
    tmp_path: Path,
) -> None:
    """As README installs it: the flows of the checkout, a credential of the server and of all who use it."""
    credential = "enablement:correct horse"
    with PrefectServer(
        tmp_path / "prefect",
        PREFECT_SERVER_API_AUTH_STRING=credential,
        PREFECT_API_AUTH_STRING=credential,
    ) as prefect:
        prefect.deploy()
        prefect.start_worker()
        run = prefect.api.create_flow_run("watch-merges/watch-merges")
        assert ended(prefect, run)["type"] == "COMPLETED", prefect.api.logs(run)
        assert prefect.environment["ENABLEMENT_CHECKOUT"] == str(CHECKOUT)
        for given in ("", "enablement:wrong"):
            for path in ("/block_documents/filter", "/flow_runs/filter", "/work_pools/filter"):
                with pytest.raises(requests.HTTPError, match="401"):
                    PrefectApi(prefect.api_url, given).request("POST", path, {"include_secrets": True})
        service = Service(prefect, tmp_path / "service")
        try:
            service.start()  # returns once it has looked
        finally:
            service.stop_all()


@pytest.mark.parametrize("checkout", ["", "/no/such/checkout"])
def test_a_worker_that_does_not_know_its_checkout_says_so(tmp_path: Path, checkout: str) -> None:
    with PrefectServer(tmp_path / "prefect") as prefect:
        prefect.deploy()
        prefect.start_worker(ENABLEMENT_CHECKOUT=checkout)
        run = prefect.api.create_flow_run("watch-merges/watch-merges")
        assert ended(prefect, run)["type"] in {"FAILED", "CRASHED"}
        messages(prefect, run, f"ENABLEMENT_CHECKOUT of this worker is '{checkout}', which has no checkout.")


def test_a_start_without_a_kept_database_keeps_one_for_the_next(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with PrefectServer(tmp_path / "first", cache=cache) as first:
        port = first.port
        first.api.create_work_pool("made-after-the-start")
    assert is_free(port)
    (kept,) = cache.iterdir()
    with sqlite3.connect(kept) as database:
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)
        assert database.execute("select count(*) from work_pool").fetchone() == (0,)
