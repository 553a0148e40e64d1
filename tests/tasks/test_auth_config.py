"""The auth config, with a real Vault that asks the Kubernetes stand-in for each verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.vault_server import VaultServer
from runbook.approval import ApprovedPlan
from runbook.auth_method import compare_config
from runbook.changes import Change
from runbook.errors import (
    Busy,
    CertificateNotTrusted,
    NotYetSynced,
    PlanMoved,
    PrerequisiteMissing,
    Unreachable,
    VerificationFailed,
)
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks.auth_config import ApiServer, realize_config
from tasks.auth_method import realize_mount
from tasks.mandate import Mandate
from tasks.policies import realize_policies
from tasks.role import realize_role
from tasks.verify import prove_login
from tests.kubernetes_objects import Cluster, onboarded
from tests.secrets.relay import Relay
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


CONFIG = "auth/ember-k8s/config"
OLD: dict[str, Any] = {
    "kubernetes_host": "https://old.example.com:6443",
    "kubernetes_ca_cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "disable_local_ca_jwt": True,
}


@contextmanager
def while_the_reviewer_is_proved(admin: Vault, server: ApiServer, **fields: Any) -> Iterator[ApiServer]:
    """The cluster's API at another address; when it is dialled, somebody writes Vault's config."""

    def somebody_writes(chunk: bytes) -> bool:
        if not chunk:
            admin.write(CONFIG, {**OLD, **fields})
        return False

    with Relay(server.host) as relay:
        relay.hold = somebody_writes
        yield ApiServer(relay.url, server.ca_pem)


def test_what_somebody_sets_while_the_reviewers_token_is_proved_is_carried_over(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    admin.write(CONFIG, OLD)
    with while_the_reviewer_is_proved(admin, server, issuer="https://issuer.example.com") as dialled:
        realize_config(pipeline, openshift, wanted, dialled)
    config = pipeline.kubernetes_config("ember-k8s") or {}
    assert config["kubernetes_host"] == dialled.host
    assert config["issuer"] == "https://issuer.example.com"


def test_what_somebody_sets_of_ours_while_the_reviewers_token_is_proved_is_not_overwritten_unapproved(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    wanted = request()
    realize_mount(pipeline, wanted)
    theirs = "https://theirs.example.com:6443"
    with while_the_reviewer_is_proved(admin, server, kubernetes_host=theirs) as dialled:
        planned = compare_config(wanted.target, None, dialled.host, dialled.ca_pem, login_works=False)
        approved = ApprovedPlan("0" * 64, [planned.as_json()])
        with pytest.raises(PlanMoved, match=r"theirs\.example\.com"):
            realize_config(pipeline, openshift, wanted, dialled, Mandate(approved))
    config = pipeline.kubernetes_config("ember-k8s") or {}
    assert config["kubernetes_host"] == theirs


class Overtaken(Vault):
    """Somebody writes the config, the whole of it, right after each of the first writes."""

    def __init__(self, plain: Vault, admin: Vault, config: Mapping[str, Any], times: int) -> None:
        super().__init__(plain.http)
        self._admin, self._config, self._left = admin, config, times
        self.writes = 0

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write, first."""
        super().write(path, payload)
        self.writes += 1
        if self._left:
            self._left -= 1
            self._admin.write(path, self._config)


@pytest.mark.parametrize("theirs", [{"issuer": "https://issuer.example.com"}, {}], ids=["theirs", "ours"])
def test_a_config_that_somebody_replaces_right_after_the_write_is_written_again_with_what_they_set(
    admin: Vault,
    pipeline: Vault,
    openshift: OpenShift,
    cluster: Cluster,
    server: ApiServer,
    theirs: dict[str, Any],
) -> None:
    wanted = request()
    for realize in (realize_policies, realize_mount, realize_role):
        realize(pipeline, wanted)
    ours = {"kubernetes_host": server.host, "kubernetes_ca_cert": server.ca_pem, "disable_local_ca_jwt": True}
    # Their JWT cannot be read: that a field of theirs reads back otherwise is all that tells of it.
    replaced = {**ours, "token_reviewer_jwt": "garbage", **theirs} if theirs else ours
    overtaken = Overtaken(pipeline, admin, replaced, times=1)
    realize_config(overtaken, openshift, wanted, server)
    assert overtaken.writes == 2
    config = pipeline.kubernetes_config("ember-k8s") or {}
    assert config["issuer"] == theirs.get("issuer", "")
    assert prove_login(pipeline, openshift, wanted, "payments")


@pytest.mark.long
def test_a_config_that_somebody_replaces_each_time_is_said(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer
) -> None:
    realize_mount(pipeline, request())
    overtaken = Overtaken(pipeline, admin, OLD, times=50)
    with pytest.raises(
        Busy, match="reads back otherwise than it was written: kubernetes_ca_cert, kubernetes_ho"
    ):
        realize_config(overtaken, openshift, request(), server)


class Silent(Vault):
    """No answer comes after a write; of the write itself neither, if it is ``cut``."""

    def __init__(self, plain: Vault, *, cut: bool) -> None:
        super().__init__(plain.http)
        self._cut, self._written = cut, False

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write."""
        super().write(path, payload)
        self._written = True
        if self._cut:
            raise Unreachable("Vault", path, "no answer", "It is tried again by itself.")

    def kubernetes_config(self, mount: str) -> Mapping[str, Any] | None:
        """Read, before a write."""
        if self._written:
            raise Unreachable("Vault", mount, "no answer", "It is tried again by itself.")
        return super().kubernetes_config(mount)


@pytest.mark.parametrize("cut", [False, True], ids=["its read-back", "its write"])
def test_the_record_of_the_reviewers_token_is_kept_although_no_answer_comes_to(
    admin: Vault, pipeline: Vault, openshift: OpenShift, cluster: Cluster, server: ApiServer, cut: bool
) -> None:
    wanted = request()
    enable(pipeline, openshift, wanted, server)
    admin.write(CONFIG, OLD)
    changes: list[tuple[Change, Mapping[str, str], bool]] = []
    reviewers: list[Mapping[str, str]] = []

    def attempt(vault: Vault) -> tuple[Change, Any]:
        given = Mandate(keep=lambda _system, *kept: changes.append(kept))
        return realize_config(vault, openshift, wanted, server, given, reviewers.append)

    with pytest.raises(Unreachable):
        attempt(Silent(pipeline, cut=cut))
    change, reviewer = attempt(pipeline)
    assert (change.action, reviewer) == ("none", None), "it was written; there is nothing left to keep"
    ((written, secrets, confirmed),) = changes
    assert (written.object, confirmed) == (CONFIG, not cut)
    assert [kept["sha256"] for kept in reviewers] == [secrets["token_reviewer_jwt"]]


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
