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


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """The session's Vault. Tests ask for `vault`, which is the same one in its seeded state."""
    with VaultServer(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture
def vault(vault_server: VaultServer) -> VaultServer:
    """A Vault as the pipeline finds it before its first run: `k8s_secrets`, `oidc/`, a pipeline token."""
    vault_server.reset()
    return vault_server
