"""One cluster and one GitHub for all of preflight's tests, since preflight changes neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.fixture_repository import make_repository
from sandbox.github_api import GitHubApi
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer
from tests.faults.built_once import built_once
from tests.rights import account_kubeconfig
from tests.systems.github.conftest import scripted
from tests.tasks.preflight.installation import REPOSITORY, Installation

__all__ = ["scripted"]


@pytest.fixture(scope="package", autouse=True)
def _built_once() -> Iterator[None]:
    with built_once():
        yield


@pytest.fixture(scope="package")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    directory = tmp_path_factory.mktemp("kubernetes")
    with KubernetesApi(state_dir=directory, port=0, cluster_name="ember", controller_delay=0) as api:
        yield api


@pytest.fixture(scope="package")
def kubeconfig(kubernetes: KubernetesApi) -> str:
    """Of the pipeline's own account, with the rights that the project's command gives it."""
    return account_kubeconfig(kubernetes.admin_kubeconfig)


@pytest.fixture(scope="package")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubApi]:
    directory = tmp_path_factory.mktemp("github")
    with GitHubApi(directory / "state", {REPOSITORY: make_repository(directory / "seed")}) as api:
        yield api


@pytest.fixture
def installation(
    vault: VaultServer, kubernetes: KubernetesApi, github: GitHubApi, kubeconfig: str
) -> Installation:
    """Everything as it has to be; Vault in its seeded state."""
    return Installation(vault, kubernetes, github, kubeconfig)
