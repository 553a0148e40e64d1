"""The automations at work: what they do to runs that a worker executes."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sandbox.prefect_server import PrefectServer
from tests.e2e.conftest import command
from tests.eventually import eventually

pytestmark = pytest.mark.e2e

# Flows of our names: what counts here is what they do to their process, not the runbook.
FLOWS = """
import signal
import time
from prefect import flow, suspend_flow_run
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

HEARTBEAT = {"event": {"name": ["prefect.flow-run.heartbeat"]}}

def pause_keys(run):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run).empirical_policy.pause_keys or ()

@flow(name="enable-cluster")
def enable_cluster(wait: bool):
    mine = HEARTBEAT | {"resource": {"id": [f"prefect.flow-run.{flow_run.id}"]}}
    if wait:
        with get_client(sync_client=True) as client:
            # The real one has worked for seconds by now.
            while not client.request("POST", "/events/filter", json={"filter": mine}).json()["events"]:
                time.sleep(0.1)
        suspend_flow_run(key=f"merge-gate-{len(pause_keys(flow_run.id)) + 1}", timeout=None)
    # The test kills it; the alarm ends only what a test that was killed itself leaves behind.
    signal.alarm(600)
    signal.pause()

@flow(name="watch-merges")
def watch_merges():
    from change.gate.watch import wake_waiting_runs
    from tasks.runbooks import RUNBOOKS
    wake_waiting_runs(RUNBOOKS)
"""
DEPLOYMENTS = """
definitions:
  process: &process {name: enablement}
deployments:
  - {name: enable-cluster, entrypoint: "flows.py:enable_cluster", work_pool: *process}
  - {name: watch-merges, entrypoint: "flows.py:watch_merges", work_pool: *process}
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ $ENABLEMENT_CHECKOUT }}"
"""
RESOURCE = "github.com/operate-first/apps"
SILENCE_SECONDS = 35  # a heartbeat comes every 30; Prefect sends none more often
SECONDS = 240.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server with the automations, and a worker whose runs send heartbeats."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "flows.py").write_text(FLOWS)
    (checkout / "prefect.yaml").write_text(DEPLOYMENTS)
    with PrefectServer(
        tmp_path_factory.mktemp("prefect"),
        ENABLEMENT_CHECKOUT=str(checkout),
        SSL_CERT_FILE=os.environ["SSL_CERT_FILE"],
    ) as prefect:
        prefect.deploy(checkout)
        command(prefect, sys.executable, "-m", "deployments.automations", "--silence", str(SILENCE_SECONDS))
        prefect.start_worker()
        yield prefect


def emit(server: PrefectServer) -> None:
    """Say as a CI does that something has landed."""
    prefect = os.fspath(Path(sys.executable).with_name("prefect"))
    command(server, prefect, "event", "emit", "gitops.change.landed", "--resource-id", RESOURCE)


until = partial(eventually, seconds=SECONDS, pause=0.2)


def state(server: PrefectServer, run: str) -> dict[str, Any]:
    found: dict[str, Any] = server.api.flow_run(run)["state"]
    return found


def states(server: PrefectServer, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.api.request("GET", f"/flow_run_states/?flow_run_id={run}")
    return found


def has_sent_a_heartbeat(server: PrefectServer, run: str) -> bool:
    body = {
        "filter": {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "resource": {"id": [f"prefect.flow-run.{run}"]},
        }
    }
    return bool(server.api.request("POST", "/events/filter", body)["events"])


def late_heartbeat(server: PrefectServer, run: str) -> None:
    """One that the process sent before it ended, and that the server handles only now."""
    flow = server.api.flow_run(run)["flow_id"]
    event = {
        "event": "prefect.flow-run.heartbeat",
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [
            {
                "prefect.resource.id": f"prefect.flow.{flow}",
                "prefect.resource.role": "flow",
                "prefect.resource.name": "enable-cluster",
            }
        ],
    }
    server.api.request("POST", "/events", [event])


def started(server: PrefectServer, *, wait: bool, until_it_is: str) -> str:
    run = server.api.create_flow_run("enable-cluster/enable-cluster", {"wait": wait})
    until(lambda: state(server, run)["name"] == until_it_is, lambda: state(server, run))
    until(lambda: not wait or has_sent_a_heartbeat(server, run), lambda: "no heartbeat")
    return run


def test_an_event_of_a_ci_that_knows_no_run_makes_the_watcher_look(server: PrefectServer) -> None:
    def runs() -> list[dict[str, Any]]:
        body = {"flows": {"name": {"any_": ["watch-merges"]}}}
        found: list[dict[str, Any]] = server.api.request("POST", "/flow_runs/filter", body)
        return found

    assert runs() == []
    emit(server)
    until(lambda: [run["state_type"] for run in runs()] == ["COMPLETED"], runs)
    # Without Prefect's command, as a CI may send it.
    event = {
        "event": "gitops.change.landed",
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": RESOURCE},
    }
    server.api.request("POST", "/events", [event])
    until(lambda: [run["state_type"] for run in runs()] == ["COMPLETED"] * 2, runs)


def test_what_a_killed_worker_leaves_goes_on_by_itself_and_what_waits_is_left_alone(
    server: PrefectServer,
) -> None:
    misjudged = started(server, wait=True, until_it_is="Suspended")
    waiting = started(server, wait=True, until_it_is="Suspended")
    killed = started(server, wait=False, until_it_is="Running")
    late_heartbeat(server, misjudged)
    before = state(server, waiting)["id"]
    server.kill_worker()
    assert state(server, killed)["name"] == "Running", "nobody was left to say that it ended"
    server.start_worker("spare")

    def goes_on(run: str, name: str) -> bool:
        messages = [str(one["message"]) for one in states(server, run)]
        was_started = any("Started again after crash 1 of 3: The process of" in one for one in messages)
        return was_started and state(server, run)["name"] == name

    until(lambda: goes_on(killed, "Running"), lambda: states(server, killed))
    # Prefect counts a heartbeat that comes after the suspension as the begin of a silence.
    until(lambda: goes_on(misjudged, "Suspended"), lambda: states(server, misjudged))
    # Its silence began earlier and was as long.
    assert state(server, waiting)["id"] == before
