"""The auth config, with a real Vault that asks the Kubernetes stand-in for each verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.vault_server import VaultServer
from runbook.errors import CertificateNotTrusted, NotYetSynced, PrerequisiteMissing, VerificationFailed
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks.auth_config import ApiServer, realize_config
from tasks.auth_method import realize_mount
from tasks.policies import realize_policies
from tasks.role import realize_role
from tasks.verify import prove_login
from tests.kubernetes_objects import Cluster, onboarded
from tests.tasks.conftest import request


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
def openshift(api: KubernetesApi) -> Iterator[OpenShift]:
    with OpenShift(yaml.safe_load(Path(api.admin_kubeconfig).read_text())) as made:
        yield made


@pytest.fixture
def server(api: KubernetesApi) -> ApiServer:
    return ApiServer(api.url, api.ca_pem)


def enable(vault: Vault, openshift: OpenShift, wanted: EnableRequest, server: ApiServer) -> Any:
    """Everything that a login needs; returns what was done with the config."""
    realize_policies(vault, wanted)
    realize_mount(vault, wanted)
    change, _ = realize_config(vault, openshift, wanted, server)
    realize_role(vault, wanted)
    return change


@pytest.mark.parametrize("mode", ["secret", "token-request"])
def test_a_login_works_afterwards_and_a_second_time_nothing_is_written(
    vault: VaultServer,
    pipeline: Vault,
    openshift: OpenShift,
    cluster: Cluster,
    server: ApiServer,
    mode: str,
) -> None:
    wanted = request(reviewer_token=mode)
    assert enable(pipeline, openshift, wanted, server).action == "create"
    assert prove_login(pipeline, openshift, wanted, "payments")
    written = vault.audit_log.stat().st_size
    change, reviewer = realize_config(pipeline, openshift, wanted, server)
    assert (change.action, reviewer) == ("none", None)
    with vault.audit_log.open() as log:
        log.seek(written)
        paths = [json.loads(line)["request"]["path"] for line in log if '"operation":"update"' in line]
    assert "auth/ember-k8s/config" not in paths


def test_a_reviewer_token_that_no_longer_works_is_replaced(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    enable(pipeline, openshift, wanted, server)
    config = dict(admin.kubernetes_config("ember-k8s") or {})
    config.pop("token_reviewer_jwt_set", None)
    admin.write("auth/ember-k8s/config", config | {"token_reviewer_jwt": "garbage"})
    change, reviewer = realize_config(pipeline, openshift, wanted, server)
    assert change.action == "update"
    assert reviewer is not None
    assert prove_login(pipeline, openshift, wanted, "web")


def test_settings_of_others_survive_the_full_replace_of_a_write(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    theirs = {
        "kubernetes_host": "https://old.example.com:6443",
        "kubernetes_ca_cert": server.ca_pem,
        "disable_local_ca_jwt": True,
        "disable_iss_validation": False,
        "issuer": "https://issuer.example.com",
    }
    admin.write("auth/ember-k8s/config", theirs)
    realize_config(pipeline, openshift, wanted, server)
    config = pipeline.kubernetes_config("ember-k8s") or {}
    assert config["issuer"] == "https://issuer.example.com"
    assert config["disable_iss_validation"] is False
    assert config["kubernetes_host"] == server.host
    assert config.get("token_reviewer_jwt_set", True) is True


def test_the_token_is_in_nothing_that_is_returned(
    pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    change, reviewer = realize_config(pipeline, openshift, wanted, server)
    assert reviewer is not None
    token = reviewer.token.get_secret_value()
    assert token not in json.dumps(change.as_json()) + repr(change) + repr(reviewer) + str(reviewer.record)


def test_a_ca_that_did_not_sign_the_api_server_is_found_before_the_write(
    vault: VaultServer, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    with pytest.raises(CertificateNotTrusted, match="ca_cert_for_vault"):
        realize_config(pipeline, openshift, wanted, ApiServer(server.host, vault.ca_pem))
    assert pipeline.kubernetes_config("ember-k8s") is None


def test_a_reviewer_that_may_not_review_is_found_before_the_write(
    pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    cluster.unbind_reviewer()
    with pytest.raises(Exception, match="tokenreviews") as refused:
        realize_config(pipeline, openshift, wanted, server)
    assert "auth-delegator" in str(refused.value)
    assert pipeline.kubernetes_config("ember-k8s") is None


def test_a_missing_token_secret_says_what_brings_it(
    pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    cluster.delete_token_secret()
    with pytest.raises((PrerequisiteMissing, NotYetSynced), match="eso-vault-auth-token"):
        realize_config(pipeline, openshift, wanted, server)


def test_a_namespace_that_the_role_does_not_bind_fails_the_proof_with_vaults_words(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    enable(pipeline, openshift, wanted, server)
    admin.write("auth/ember-k8s/role/emea-ops", {"bound_service_account_namespaces": ["payments"]})
    with pytest.raises(VerificationFailed, match="namespace not authorized"):
        prove_login(pipeline, openshift, wanted, "web")


def test_a_session_that_may_read_too_much_fails_the_proof(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    enable(pipeline, openshift, wanted, server)
    admin.write(
        "sys/policies/acl/emea-kv-r",
        {"policy": 'path "k8s_secrets/data/*" { capabilities = ["read", "list"] }'},
    )
    with pytest.raises(VerificationFailed, match="must not be allowed"):
        prove_login(pipeline, openshift, wanted, "payments")


def test_the_session_of_the_proof_is_revoked(
    vault: VaultServer, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    enable(pipeline, openshift, wanted, server)
    seen = vault.audit_log.stat().st_size
    prove_login(pipeline, openshift, wanted, "payments")
    with vault.audit_log.open() as log:
        log.seek(seen)
        paths = [json.loads(line)["request"]["path"] for line in log if '"type":"request"' in line]
    assert paths.count("auth/ember-k8s/login") == 1
    assert paths[-1] == "auth/token/revoke-self"
