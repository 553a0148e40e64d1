"""Thousands of malformed deliveries to the service as a process: no 5xx, no look, no resume, no growth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client

from bench.crowd import Crowd
from bench.world import REPOSITORY
from flows.enable_cluster import enable_cluster
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tests.deployments.merge_service.conftest import SECRET, Looks, Sender
from tests.deployments.merge_service.malformed import MARK, Malformed
from tests.deployments.merge_service.payloads import pull_request
from tests.eventually import eventually
from tests.merge_service import Service
from tests.world import World

pytestmark = pytest.mark.long

COUNT, WARM_UP = 4_000, 1_000
SEED = 20260515
GROWTH = 3 * 2**20


@pytest.fixture
def world(prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    """Its connections are saved before the service starts, which reads them then."""
    with World.at(tmp_path / "world", vault) as made:
        made.connect()
        yield made


@pytest.fixture
def crowd(prefect_harness: PrefectServer, world: World) -> Iterator[Crowd]:
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(enable_cluster), name="crowd")
    made = Crowd(world, prefect_harness.api, str(deployment))
    yield made
    made.leave()


@pytest.fixture
def service(world: World, prefect_harness: PrefectServer, tmp_path: Path) -> Iterator[Service]:
    made = Service(prefect_harness, tmp_path / "service", SECRET.decode())
    made.start()
    yield made
    made.stop_all()


def memory_of_the_service() -> int:
    """Bytes that are resident, of its launcher too."""
    children = psutil.Process().children(recursive=True)
    # Of processes that other tests killed some are still to be waited for.
    alive = [each for each in children if each.status() != psutil.STATUS_ZOMBIE]
    return sum(each.memory_info().rss for each in alive if "deployments.merge_service" in each.cmdline())


def test_thousands_of_malformed_deliveries_do_nothing(crowd: Crowd, world: World, service: Service) -> None:
    # A run waits whose change has landed since the service looked: one more look wakes it.
    crowd.grow_to(1)
    ((run, number),) = crowd.runs
    world.as_reviewer("PUT", f"/pulls/{number}/merge", json={})
    waits = crowd.state_id(run)
    sender = Sender(service.url, Looks())
    answers: Counter[int] = Counter()
    before = 0
    for number, request in enumerate(Malformed(SEED, REPOSITORY, "main").requests(COUNT)):
        if number == WARM_UP:
            before = memory_of_the_service()
        answers[sender.send(request.event, request.body, **request.headers).status_code] += 1
    assert set(answers) == {202, 400, 401, 415}, answers
    assert answers[202] < COUNT / 15, "only events that we do not use are taken"
    grown = memory_of_the_service() - before
    assert before > 0, "its process was found"
    assert grown < GROWTH, f"{grown} bytes more"
    for said in ("Received a ", "Traceback", MARK):
        assert said not in service.log
    assert crowd.state_id(run) == waits

    answer = sender.send("pull_request", pull_request("closed", merged=True, full_name=REPOSITORY))
    assert answer.json() == {"message": "looking"}
    eventually(lambda: "enable emea/ember was woken" in service.log, lambda: service.log)
    assert crowd.state_id(run) != waits
    assert sender.client.get("/healthz").status_code == 200
