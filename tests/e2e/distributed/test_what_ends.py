"""What ends under runs that are under way, on an installation of several servers and workers.

Each run completes by itself. One that was under way when its worker was killed waits for our automations. At
last the database is lost while runs wait, and restored from a backup, as docs/backup.md says.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sandbox.distributed_prefect import REPLICAS, SERVICES, DistributedPrefect
from sandbox.vault_server import VaultServer
from tests.e2e.distributed.runs import PATIENCE, Runs, merge_services, nothing_is_lost_or_doubled
from tests.engineer import Engineer
from tests.fleet import merge
from tests.prefect_wire import Wire
from tests.vault_writes import written
from tests.world import World

pytestmark = pytest.mark.e2e

OUTAGE = 10.0
"""Seconds for which the database is away."""


def test_a_server_the_messaging_and_the_database_end_under_the_runs(
    engineer: Engineer,
    prefect_server: DistributedPrefect,
    vault: VaultServer,
    worlds: list[World],
    tmp_path: Path,
) -> None:
    server = prefect_server
    with merge_services(server, worlds[0], tmp_path):
        runs = Runs(engineer, worlds)
        runs.until(lambda states: "Running" in states)
        server.kill_part(REPLICAS[0])
        server.messaging.stop()
        server.messaging.start()
        server.stop_part(SERVICES)
        server.start_part(SERVICES)
        runs.all_are("Suspended")
        server.start_part(REPLICAS[0])
        server.wait_for_replica(REPLICAS[0])
        merge(worlds)
        runs.until(lambda states: "Running" in states)
        server.database.stop()
        time.sleep(OUTAGE)
        server.database.start()
        runs.all_are("Completed")
    nothing_is_lost_or_doubled(vault, worlds)


def test_workers_are_killed_while_they_start_run_and_leave_runs_at_the_gate(
    engineer: Engineer,
    prefect_server: DistributedPrefect,
    vault: VaultServer,
    worlds: list[World],
    tmp_path: Path,
) -> None:
    server = prefect_server
    first, second = server.workers
    for name in server.workers:
        server.stop_worker(name)
    with merge_services(server, worlds[0], tmp_path), Wire(server.port) as wire:
        wire.once(b"/set_state", b'"PENDING"', act=lambda: server.kill_worker("doomed"), pass_on=True)
        server.start_worker("doomed", PREFECT_API_URL=wire.api_url)
        runs = Runs(engineer, worlds)
        assert wire.struck.wait(PATIENCE)
        assert "Pending" in runs.states()
        server.start_workers()
        runs.all_are("Suspended")
        server.kill_worker(second)
        merge(worlds)
        runs.until(lambda states: "Running" in states)
        server.kill_worker(first)
        server.start_workers()
        runs.all_are("Completed")
    nothing_is_lost_or_doubled(vault, worlds)


def lose_and_restore(server: DistributedPrefect, dump: Path) -> None:
    """End all servers, and start them on a new database that holds what the backup holds."""
    parts = (*REPLICAS, SERVICES)
    for name in parts:
        server.stop_part(name)
    server.messaging.stop()
    server.messaging.start()
    server.database.run("dropdb", "prefect")
    server.database.run("createdb", "prefect")
    server.database.run("pg_restore", "--no-owner", "--exit-on-error", "--dbname", "prefect", str(dump))
    for name in parts:
        server.start_part(name)
    for name in REPLICAS:
        server.wait_for_replica(name)


def test_runs_of_a_backup_complete_on_the_restored_database(
    engineer: Engineer,
    prefect_server: DistributedPrefect,
    vault: VaultServer,
    worlds: list[World],
    tmp_path: Path,
) -> None:
    server, dump = prefect_server, tmp_path / "prefect.dump"
    waiting, finished, under_way = worlds[:1], worlds[1:2], worlds[2:3]
    runs = Runs(engineer, [*waiting, *finished])
    runs.all_are("Suspended")
    cut_off = Runs(engineer, under_way)
    cut_off.until(lambda states: states == ["Running"])
    server.database.run("pg_dump", "--format", "custom", "--file", str(dump), "prefect")
    cut_off.all_are("Suspended")
    with merge_services(server, worlds[0], tmp_path):
        merge(finished)
        runs.until(lambda states: states == ["Suspended", "Completed"])
    position = vault.audit_position()

    lose_and_restore(server, dump)
    assert runs.states() == ["Suspended", "Suspended"]
    assert cut_off.states() == ["Running"]  # of which there is no process
    with merge_services(server, worlds[0], tmp_path / "restored"):
        runs.until(lambda states: states == ["Suspended", "Completed"])
        assert written(vault, position) == []
        cut_off.all_are("Suspended")
        merge([*waiting, *under_way])
        runs.all_are("Completed")
        cut_off.all_are("Completed")
    nothing_is_lost_or_doubled(vault, [*waiting, *finished, *under_way])
