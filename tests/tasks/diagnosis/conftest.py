"""One Kubernetes stand-in for these tests, with the pipeline's own narrow account on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer
from systems.openshift import OpenShift
from systems.vault import Vault
from tests.kubernetes_objects import Cluster
from tests.rights import account_kubeconfig
from tests.tasks.diagnosis.scene import Scene, clean, enabled


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    directory = tmp_path_factory.mktemp("kubernetes")
    names = ("api.ember.example.com",)
    with KubernetesApi(directory, names=names, controller_delay=0.02) as made:
        yield made


@pytest.fixture(scope="package")
def account(api: KubernetesApi) -> str:
    """Kubeconfig of the pipeline's account, from the manifests that a real cluster gets."""
    return account_kubeconfig(api.admin_kubeconfig)


@pytest.fixture
def scene(
    api: KubernetesApi, account: str, vault: VaultServer, admin: Vault, pipeline: Vault, tmp_path: Path
) -> Iterator[Scene]:
    cluster = Cluster(api)
    clean(cluster)
    cluster.bring_onboarding()
    with OpenShift(yaml.safe_load(account)) as openshift:
        made = Scene(api, vault, admin, cluster, pipeline, openshift, account, tmp_path)
        with enabled(made):
            yield made
    cluster.close()
