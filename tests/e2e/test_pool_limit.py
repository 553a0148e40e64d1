"""The limit of the work pool: a run that waits holds none of its slots, whatever it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from runbook.names import Cluster
from sandbox.prefect_api import POOL_LIMIT
from sandbox.prefect_server import WORK_POOL
from sandbox.vault_server import VaultServer
from tests.engineer import Engineer
from tests.eventually import eventually
from tests.fleet import connect, fleet_at, merge, merge_only
from tests.merge_service import Service
from tests.rights import printed_policy, token_with
from tests.world import World

pytestmark = pytest.mark.e2e

ENABLE = "enable-cluster/enable-cluster"
SLOTS, UNSYNCED, SYNCED = 2, ("c1", "c2"), ("c3", "c4", "c5", "c6")
SECONDS = 480.0


@pytest.fixture
def two_slots(engineer: Engineer) -> Iterator[Engineer]:
    pool = f"/work_pools/{WORK_POOL}"
    assert engineer.api.request("GET", pool)["concurrency_limit"] == POOL_LIMIT
    engineer.api.request("PATCH", pool, {"concurrency_limit": SLOTS})
    yield engineer
    engineer.api.request("PATCH", pool, {"concurrency_limit": POOL_LIMIT})


@pytest.fixture
def worlds(two_slots: Engineer, vault: VaultServer, tmp_path: Path) -> Iterator[list[World]]:
    names = [*UNSYNCED, *SYNCED]
    with fleet_at(tmp_path, vault, names) as made:
        policy = printed_policy(vault, [Cluster("emea", name) for name in names])
        connect(made, vault__token=token_with(vault, policy))
        yield made


until = partial(eventually, seconds=SECONDS, pause=0.5)


def test_clusters_that_are_not_synced_do_not_keep_others_from_being_enabled(
    two_slots: Engineer, worlds: list[World], tmp_path: Path
) -> None:
    runs = {one.cluster: two_slots.start(ENABLE, {**one.parameters, "sync_timeout": "1h"}) for one in worlds}

    def states() -> dict[str, str]:
        return {name: two_slots.api.flow_run(run)["state"]["name"] for name, run in runs.items()}

    def are(state: str, *names: str) -> bool:
        now = states()
        return {now[name] for name in names} == {state}

    def message(name: str) -> str:
        return two_slots.api.flow_run(runs[name])["state"]["message"] or ""

    until(lambda: are("Suspended", *runs), states)
    service = Service(two_slots.server, tmp_path / "service")
    try:
        merge_only(worlds[: len(UNSYNCED)])
        merge(worlds[len(UNSYNCED) :])
        service.start(interval=5.0)
        until(lambda: are("Completed", *SYNCED), states)
        lacks = "waits for namespace external-secrets-operator and "
        until(lambda: all(message(name).startswith(lacks) for name in UNSYNCED), states)
        for world in worlds[: len(UNSYNCED)]:
            world.sync()
        until(lambda: are("Completed", *UNSYNCED), states)
    finally:
        service.stop_all()
    assert service.log.count("was woken: everything that it waits for is there") == len(UNSYNCED), service.log
