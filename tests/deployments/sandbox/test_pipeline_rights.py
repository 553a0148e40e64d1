"""The accounts that the sandbox gives to the pipeline are as narrow as they can be, and wide enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployments.sandbox.cluster_account import ClusterAccount
from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.manifests import Identity
from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.user_login import prove_user_login
from deployments.sandbox.vault_seed import VaultAdmin
from deployments.sandbox.vault_server import VaultServer
from runbook.request import EnableRequest
from runbook.rights import cluster_rights, vault_rights
from systems.openshift import Access, OpenShift

REQUESTS = [
    EnableRequest(
        cluster="ember",
        env="emea",
        namespaces=("payments", "web"),
        cluster_connection="ember",
        reviewer_token=mode,
    )
    for mode in ("secret", "token-request")
]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path / "kubernetes") as server:
        yield server


@pytest.fixture
def pipeline(api: KubernetesApi) -> Iterator[OpenShift]:
    """The cluster as the pipeline's account sees it."""
    account = ClusterAccount(api.admin_kubeconfig)
    account.create()
    with OpenShift(yaml.safe_load(account.kubeconfig("ember"))) as client:
        yield client


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.reviewer_token)
def test_the_account_on_the_cluster_may_do_what_a_run_does(
    request_: EnableRequest, pipeline: OpenShift
) -> None:
    accesses = [
        Access(right.verb, right.resource, right.group, right.namespace, right.name, right.subresource)
        for right in cluster_rights(request_)
    ]
    assert pipeline.denied(accesses) == ()


def test_the_account_on_the_cluster_may_not_do_anything_else(pipeline: OpenShift) -> None:
    forbidden = (
        Access("get", "secrets", namespace="payments", name="database"),
        Access("list", "secrets"),
        Access("create", "serviceaccounts", namespace="kube-system", name="default", subresource="token"),
        Access("create", "serviceaccounts", namespace="payments"),
        Access("update", "namespaces", name="payments"),
        Access("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
        Access("create", "pods", namespace="payments"),
    )
    assert pipeline.denied(forbidden) == forbidden


def test_removing_the_account_leaves_nothing_of_it(api: KubernetesApi) -> None:
    account = ClusterAccount(api.admin_kubeconfig)
    account.create()
    assert "removed ClusterRoleBinding vault-enablement-pipeline" in account.remove()
    with Cluster(api.admin_kubeconfig) as cluster:
        role = Identity("rbac.authorization.k8s.io/v1", "ClusterRole", "", "vault-enablement-pipeline")
        assert cluster.get(role) is None


def test_what_was_there_before_the_account_is_not_removed_with_it(api: KubernetesApi) -> None:
    first = ClusterAccount(api.admin_kubeconfig)
    first.create()
    second = ClusterAccount(api.admin_kubeconfig)
    second.create()
    assert second.remove() == []
    assert first.kubeconfig("ember")


@pytest.mark.parametrize("request_", REQUESTS[:1])
def test_the_token_in_vault_may_do_what_a_run_does(request_: EnableRequest, vault: VaultServer) -> None:
    wanted = vault_rights(request_)
    admin = VaultAdmin(vault.address, str(vault.ca_file), vault.pipeline_token)
    have = admin.request("POST", "sys/capabilities-self", {"paths": list(wanted)})["data"]
    lacking = {
        path: needed - set(have[path]) for path, needed in wanted.items() if not needed <= set(have[path])
    }
    assert lacking == {}


def test_a_user_login_holds_once_group_and_alias_are_there(vault: VaultServer) -> None:
    assert not prove_user_login(vault, "emea").holds
    group = {"name": "vault-admins-emea", "type": "external", "policies": ["emea-kv-rw"]}
    vault.request("POST", "identity/group", group)
    assert not prove_user_login(vault, "emea").holds
    identifier = vault.request("GET", "identity/group/name/vault-admins-emea")["data"]["id"]
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    alias = {"name": "vault-admins-emea", "mount_accessor": accessor, "canonical_id": identifier}
    vault.request("POST", "identity/group-alias", alias)
    assert prove_user_login(vault, "emea").holds
    assert not prove_user_login(vault, "apac").holds


def test_a_user_login_does_not_hold_when_everybody_gets_the_policy(vault: VaultServer) -> None:
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    for name in ("vault-admins-emea", "somebody-else"):
        vault.request(
            "POST", "identity/group", {"name": name, "type": "external", "policies": ["emea-kv-rw"]}
        )
        identifier = vault.request("GET", f"identity/group/name/{name}")["data"]["id"]
        alias = {"name": name, "mount_accessor": accessor, "canonical_id": identifier}
        vault.request("POST", "identity/group-alias", alias)
    assert not prove_user_login(vault, "emea").holds
