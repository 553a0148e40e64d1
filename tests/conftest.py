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
from pathlib import Path

import pytest

from deployments.sandbox.environment import replace_environment
from deployments.sandbox.prefect_server import PrefectServer
from deployments.sandbox.vault_server import VaultServer

_HOME = Path(tempfile.mkdtemp(prefix="vault-enablement-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
replace_environment(
    os.environ,
    _HOME,
    # What configures the tests themselves, and where pytest keeps its own directories.
    keep=("TEST_", "PYTEST_", "COVERAGE_", "TMPDIR"),
    TMPDIR=tempfile.gettempdir(),
)

from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings  # noqa: E402

from tests.rights import policy_of_the_tests  # noqa: E402


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """The session's Vault. Tests ask for `vault`, which is the same one in its seeded state."""
    with VaultServer(tmp_path_factory.mktemp("vault"), pipeline_policy=policy_of_the_tests()) as server:
        yield server


@pytest.fixture
def vault(vault_server: VaultServer) -> VaultServer:
    """A Vault as the pipeline finds it before its first run: `k8s_secrets`, `oidc/`, a pipeline token."""
    vault_server.reset()
    return vault_server


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """The session's Prefect server, a process of its own; no worker and no deployment until a test asks."""
    with PrefectServer(tmp_path_factory.mktemp("prefect")) as server:
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
