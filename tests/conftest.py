"""One Vault and one Prefect server for the whole session; an environment that holds nothing of the person.

The environment is replaced while this file is imported, before anything can read it: `prefect` reads its
settings and the active profile on import, `kubernetes` its kubeconfig, `git` its configuration.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sandbox.certificates import CertificateAuthority
from sandbox.environment import replace_environment
from sandbox.log_check import unexplained
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer

_HOME = Path(tempfile.mkdtemp(prefix="vault-enablement-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
# In place of the machine's authorities, by which no server here is certified: to read those takes 30 ms, and
# every client of Prefect's does it, over plain HTTP too. That is a third of what a run takes.
_AUTHORITIES = _HOME / "authorities.pem"
_AUTHORITIES.write_text(CertificateAuthority("of nobody").pem)
replace_environment(
    os.environ,
    _HOME,
    # What configures the tests themselves, and where pytest keeps its own directories.
    keep=("TEST_", "PYTEST_", "COVERAGE_", "TMPDIR"),
    TMPDIR=tempfile.gettempdir(),
    SSL_CERT_FILE=str(_AUTHORITIES),
)

from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings  # noqa: E402

from tests.engineer import Engineer  # noqa: E402
from tests.merge_service import EXPECTED, Service  # noqa: E402
from tests.rights import policy_of_the_tests  # noqa: E402
from tests.waiting import AtTheGate, Start  # noqa: E402
from tests.world import World  # noqa: E402


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """The session's Vault. Tests ask for `vault`, which is the same one in its seeded state."""
    with VaultServer(tmp_path_factory.mktemp("vault"), pipeline_policy=policy_of_the_tests) as server:
        yield server


@pytest.fixture
def vault(vault_server: VaultServer) -> VaultServer:
    """A Vault as the pipeline finds it before its first run: `k8s_secrets`, `oidc/`, a pipeline token."""
    vault_server.reset()
    return vault_server


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """The session's Prefect server, a process of its own; no worker and no deployment until a test asks."""
    with PrefectServer(
        tmp_path_factory.mktemp("prefect"),
        # A run that waits for its deployment's slot asks again after a second, not after thirty.
        PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS="1",
        SSL_CERT_FILE=str(_AUTHORITIES),
    ) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_harness(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """Flows, tasks and Blocks of this very process use the session's Prefect server."""
    with temporary_settings(
        updates={
            PREFECT_API_URL: prefect_server.api_url,
            # A test that makes the server fail wants to see it, not to wait for it.
            PREFECT_CLIENT_MAX_RETRIES: 2,
        }
    ):
        yield prefect_server


@pytest.fixture
def world(prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    """A whole installation, its connections saved in the session's Prefect server."""
    with World.at(tmp_path, vault) as made:
        made.connect()
        yield made
        made.forget_runs_under_way()


@pytest.fixture
def begin(engineer: Engineer, world: World, tmp_path: Path) -> Start:
    """Starts a run; who executes it depends on the folder's `engineer`."""
    (tmp_path / "people").mkdir()
    return partial(AtTheGate, engineer, world, tmp_path / "people")


@pytest.fixture
def start(begin: Start) -> Start:
    """The same, and waits until the run is suspended at the gate."""

    def starting(**parameters: object) -> AtTheGate:
        made = begin(**parameters)
        assert made.rest() == "Suspended", made.log()
        return made

    return starting


@pytest.fixture
def waiting(start: Start) -> AtTheGate:
    """A run that is suspended at the gate."""
    return start()


@pytest.fixture
def service(prefect_harness: PrefectServer, world: World, tmp_path: Path) -> Iterator[Service]:
    """The merge service, not started yet."""
    made = Service(prefect_harness, tmp_path / "service")
    yield made
    made.stop_all()
    errors = unexplained([made.log_file] if made.log_file.exists() else [], EXPECTED)
    assert not errors, "\n".join(errors)
