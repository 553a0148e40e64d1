"""Clients of the real Vault: as the pipeline sees it, and as its administrator does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from runbook.hosts import ApiServer
from runbook.request import EnableRequest
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer
from systems.openshift import OpenShift
from systems.vault import Vault
from systems.vault_http import VaultHttp
from tests.kubernetes_objects import Cluster, onboarded
from tests.tasks.enabled import Place


def client(server: VaultServer, token: str, address: str = "", ca_pem: str | None = None) -> Vault:
    """Vault as a token's owner; elsewhere than where it is, if an address is given."""
    return Vault(VaultHttp(address or server.address, SecretStr(token), ca_pem=ca_pem or server.ca_pem))


@pytest.fixture
def pipeline(vault: VaultServer) -> Iterator[Vault]:
    """Vault with the pipeline's token."""
    with client(vault, vault.pipeline_token) as made:
        yield made


@pytest.fixture
def admin(vault: VaultServer) -> Iterator[Vault]:
    """Vault with the root token: somebody who changes things by hand."""
    with client(vault, vault.root_token) as made:
        yield made


def request(**changes: Any) -> EnableRequest:
    """The parameters of a run for emea/ember, some of them changed."""
    values: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ("payments", "web")}
    return EnableRequest.model_validate({**values, **changes})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    with KubernetesApi(state_dir=tmp_path_factory.mktemp("kubernetes"), port=0) as made:
        yield made


@pytest.fixture
def cluster(api: KubernetesApi) -> Iterator[Cluster]:
    """The cluster after ArgoCD has synced: the reviewer with its token, and the starter ServiceAccounts."""
    with onboarded(api) as made:
        yield made


@pytest.fixture
def place(
    vault: VaultServer, admin: Vault, pipeline: Vault, api: KubernetesApi, cluster: Cluster
) -> Iterator[Place]:
    with OpenShift(yaml.safe_load(Path(api.admin_kubeconfig).read_text())) as openshift:
        yield Place(vault, admin, pipeline, openshift, cluster, ApiServer(api.url, api.ca_pem))
