"""Ten thousand malformed deliveries to the service as a process: no 5xx, no look, no resume, no growth."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from prefect.client.orchestration import get_client

from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.ports import free_port
from deployments.sandbox.prefect_server import PrefectServer
from deployments.sandbox.processes import Supervisor, http_answers
from deployments.sandbox.vault_server import VaultServer
from flows.enable_cluster import enable_cluster
from tests.crowd import Crowd
from tests.deployments.merge_service.conftest import SECRET, Looks, Sender, eventually
from tests.deployments.merge_service.malformed import MARK, Malformed
from tests.deployments.merge_service.payloads import pull_request
from tests.deployments.merge_service.wire import Wire
from tests.world import REPOSITORY, World, world_at

pytestmark = pytest.mark.long

COUNT, WARM_UP = 10_000, 1_500
SEED = 20260515
GROWTH = 8 * 2**20


@dataclass
class Process:
    """The service, started with the documented command."""

    url: str
    pid: int
    log_file: Path
    state: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(psutil.Process(self.pid).memory_info().rss)

    @property
    def remembered(self) -> int:
        """How many deliveries are."""
        with sqlite3.connect(f"file:{self.state / 'deliveries.sqlite'}?mode=ro", uri=True) as database:
            (count,) = database.execute("select count(*) from delivery").fetchone()
        return int(count)


@pytest.fixture
def world(prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    """Its connections are saved before the service starts, which reads them then."""
    with world_at(tmp_path / "world", vault) as made:
        made.connect()
        yield made


@pytest.fixture
def crowd(prefect_harness: PrefectServer, world: World, tmp_path: Path) -> Iterator[Crowd]:
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(enable_cluster), name="crowd")
    made = Crowd(world, prefect_harness.api, str(deployment), tmp_path)
    yield made
    made.leave()


@pytest.fixture
def process(connected: None, prefect_harness: PrefectServer, tmp_path: Path) -> Iterator[Process]:
    port, state = free_port(), tmp_path / "state"
    url = f"http://127.0.0.1:{port}"
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start(
            "merge-service",
            [
                *(sys.executable, "-m", "deployments.merge_service", "--port", str(port)),
                *("--state-directory", str(state), "--interval", "3600"),
            ],
            environment={**prefect_harness.environment, "MERGE_SERVICE_WEBHOOK_SECRET": SECRET.decode()},
            directory=CHECKOUT,
            ready=http_answers(f"{url}/healthz"),
            within=120.0,
        )
        (command,) = psutil.Process(child.pid).children()  # of its launcher
        yield Process(url, command.pid, child.log, state)


def test_ten_thousand_malformed_deliveries_do_nothing(crowd: Crowd, world: World, process: Process) -> None:
    # A run waits whose change has landed since the service looked: one more look wakes it.
    crowd.grow_to(1)
    ((run, number),) = crowd.runs
    world.as_reviewer("PUT", f"/pulls/{number}/merge", json={})
    waits = crowd.state_id(run)
    address = urlsplit(process.url)
    wire = Wire(address.hostname or "", address.port or 0)
    answers: Counter[int] = Counter()
    before = 0
    for number, request in enumerate(Malformed(SEED, REPOSITORY, "main").requests(COUNT)):
        if number == WARM_UP:
            before = process.memory
        answers[wire.ask(request)] += 1
    assert max(answers) < 500, answers
    assert {400, 401, 413, 415} <= set(answers), answers
    assert answers[wire.NO_ANSWER] < COUNT / 10, answers
    assert answers[202] < COUNT / 20, "only events that we do not use are taken"
    assert process.memory - before < GROWTH, f"{before} bytes became {process.memory}"
    assert process.remembered == 0
    log = process.log
    assert "announced" not in log
    assert "Traceback" not in log
    assert MARK not in log
    assert crowd.state_id(run) == waits

    sender = Sender(process.url, Looks())
    answer = sender.send("pull_request", pull_request("closed", merged=True, full_name=REPOSITORY))
    assert answer.json() == {"message": "looking"}
    eventually(lambda: "enable emea/ember was woken" in process.log, lambda: process.log)
    assert crowd.state_id(run) != waits
    assert process.remembered == 1
    assert sender.client.get("/healthz").status_code == 200


def test_a_restart_of_the_process_forgets_no_delivery_and_sigterm_ends_it(process: Process) -> None:
    sender = Sender(process.url, Looks())
    delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    payload = pull_request("closed", merged=True)
    assert sender.send("pull_request", payload, x_github_delivery=delivery).json() == {"message": "looking"}
    service = psutil.Process(process.pid)
    service.terminate()
    deadline = time.monotonic() + 30
    while service.is_running() and service.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.log.rstrip().endswith("INFO Ended.")
    assert process.remembered == 1
