"""A database that is lost while runs wait, and one that is restored from a backup, as docs/backup.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.distributed_prefect import REPLICAS, SERVICES, DistributedPrefect
from sandbox.vault_server import VaultServer
from tests.e2e.distributed.runs import Runs, merge_services, nothing_is_lost_or_doubled
from tests.engineer import Engineer
from tests.fleet import merge
from tests.world import World

pytestmark = pytest.mark.e2e

OBJECTS = re.compile(r"sys/(policies|auth)/|identity/group|auth/[^/]+/(config|role/)")
"""Paths of what a run writes; others are logins and questions."""


def written(vault: VaultServer, position: int) -> list[str]:
    """Which objects of Vault somebody has written since."""
    return [
        path
        for entry in vault.audit_entries(position)
        if entry["type"] == "request" and entry["request"]["operation"] in {"create", "update", "delete"}
        if OBJECTS.match(path := str(entry["request"]["path"]))
    ]


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


def test_runs_that_waited_when_the_backup_was_made_complete_on_the_restored_database(
    engineer: Engineer,
    prefect_server: DistributedPrefect,
    vault: VaultServer,
    worlds: list[World],
    tmp_path: Path,
) -> None:
    server, dump = prefect_server, tmp_path / "prefect.dump"
    waiting, finished = worlds[:1], worlds[1:2]
    runs = Runs(engineer, [*waiting, *finished])
    runs.all_are("Suspended")
    server.database.run("pg_dump", "--format", "custom", "--file", str(dump), "prefect")
    with merge_services(server, worlds[0], tmp_path):
        merge(finished)
        runs.until(lambda states: states == ["Suspended", "Completed"])
    position = vault.audit_position()

    lose_and_restore(server, dump)
    assert runs.states() == ["Suspended", "Suspended"]
    with merge_services(server, worlds[0], tmp_path / "restored"):
        runs.until(lambda states: states == ["Suspended", "Completed"])
        assert written(vault, position) == []
        merge(waiting)
        runs.all_are("Completed")
    nothing_is_lost_or_doubled(vault, [*waiting, *finished])
