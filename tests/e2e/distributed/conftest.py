"""Prefect as a team runs it, once for the tests of this folder; its settings end with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from prefect.settings import PREFECT_API_URL, temporary_settings

from runbook.names import Cluster
from sandbox.distributed_prefect import DistributedPrefect
from sandbox.log_check import unexplained
from sandbox.vault_server import VaultServer
from tests.e2e.conftest import command
from tests.engineer import Engineer
from tests.fleet import connect, fleet_at
from tests.merge_service import EXPECTED
from tests.rights import printed_policy, token_with
from tests.world import World

_NAMES = (f"ember-{number}" for number in count())
"""Each test has clusters of its own: a run that was scheduled twice while the database was away may be under
way for some seconds after all have completed, and its cluster belongs to it until then."""

ENDED = (
    (r"asyncpg[\s\S]*FileNotFoundError: \[Errno 2\]", "a test ends the database, whose socket is then gone"),
    (r"asyncpg\.exceptions\._base\.|InternalClientError|ConnectionDoesNotExist|CannotConnectNow", "the same"),
    (r"Can't reconnect until invalid transaction is rolled back", "the same"),
    (r"PrefectHTTPStatusError: Server error '50[03] ", "the same, as a worker sees it"),
    (r"redis\.exceptions\.|NOGROUP", "a test ends the messaging, and what it held is gone"),
    (r"websockets\.|RemoteProtocolError|httpx\.ReadError", "a test kills a server or a worker"),
    (r"Service 'EventsWorker' failed ", "the same, as a worker and a run see it"),
    (
        r"Key \(flow_run_id, key\)|uq_flow_run_input__",
        "two merge services wake a run at once, and one does",
    ),
)
"""Errors in the logs of this installation, beside those of `EXPECTED`."""


@pytest.fixture(scope="package")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DistributedPrefect]:
    """In place of the session's server, which has SQLite."""
    with DistributedPrefect(
        tmp_path_factory.mktemp("distributed"),
        PREFECT_SERVER_ENCRYPTION_KEY=Fernet.generate_key().decode(),
        SSL_CERT_FILE=os.environ["SSL_CERT_FILE"],
    ) as server:
        yield server


@pytest.fixture(scope="package")
def prefect_harness(prefect_server: DistributedPrefect) -> Iterator[DistributedPrefect]:
    """Blocks of this very process are saved there."""
    with temporary_settings(updates={PREFECT_API_URL: prefect_server.api_url}):
        yield prefect_server


@pytest.fixture(scope="package")
def engineer(prefect_harness: DistributedPrefect) -> Iterator[Engineer]:
    """Everything deployed, our automations too, and two workers."""
    prefect_harness.start_workers()
    prefect_harness.deploy()
    command(prefect_harness, sys.executable, "-m", "deployments.automations")
    prefect_harness.wait_for_workers()
    yield Engineer(prefect_harness)
    prefect_harness.stop()
    errors = unexplained(sorted(prefect_harness.logs.glob("*.log")), (*EXPECTED, *ENDED))
    assert not errors, "\n".join(errors)


@pytest.fixture
def worlds(engineer: Engineer, vault: VaultServer, tmp_path: Path) -> Iterator[list[World]]:
    """Clusters of one environment, connected."""
    clusters = list(islice(_NAMES, 4))
    token = token_with(vault, printed_policy(vault, [Cluster("emea", name) for name in clusters]))
    with fleet_at(tmp_path, vault, clusters) as made:
        connect(made, vault__token=token)
        yield made
