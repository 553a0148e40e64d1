"""Logging in to a real Vault by token, AppRole and Kubernetes, and what is left of it afterwards."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from connections import VaultConnection
from runbook.errors import AccessDenied, Busy, PrerequisiteMissing
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer
from tests.rights import policy_of_the_tests
from tests.sandbox.kubernetes_api.kube import Kube, connect

POLICY = "pipeline-of-the-test"
WORKER = {"namespace": "prefect", "name": "worker"}


@dataclass
class Logins:
    """A Vault with one way to log in, and a look at the sessions from outside."""

    vault: VaultServer
    fields: dict[str, Any]
    mount: str

    def connection(self, **changes: Any) -> VaultConnection:
        address = {"address": self.vault.address, "ca_cert": self.vault.ca_pem}
        return VaultConnection.model_validate({**address, **self.fields, **changes})

    def alive(self, accessor: str) -> bool:
        try:
            self.vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})
        except requests.HTTPError:
            return False
        return True

    def revoke(self, accessor: str) -> None:
        self.vault.request("POST", "auth/token/revoke-accessor", {"accessor": accessor})

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The paths that were asked inside the block, filled at its end."""
        paths: list[str] = []
        position = self.vault.audit_position()
        yield paths
        paths += [
            entry["request"]["path"]
            for entry in self.vault.audit_entries(position)
            if entry["type"] == "request"
        ]


@pytest.fixture
def approle(vault: VaultServer) -> Logins:
    vault.request("PUT", f"sys/policies/acl/{POLICY}", {"policy": policy_of_the_tests(vault)})
    vault.request("POST", "sys/auth/approle", {"type": "approle"})
    role = {"token_policies": [POLICY], "token_no_default_policy": True, "token_ttl": "5m"}
    vault.request("POST", "auth/approle/role/pipeline", role)
    fields = {
        "approle_role_id": vault.request("GET", "auth/approle/role/pipeline/role-id")["data"]["role_id"],
        "approle_secret_id": secret_id(vault),
    }
    return Logins(vault, fields, "approle")


def secret_id(vault: VaultServer) -> str:
    return str(vault.request("POST", "auth/approle/role/pipeline/secret-id", {})["data"]["secret_id"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """The cluster that the worker runs on, with the worker's ServiceAccount."""
    with KubernetesApi(tmp_path_factory.mktemp("kubernetes")) as api:
        kube = connect(Path(api.admin_kubeconfig))
        kube.create("/api/v1/namespaces", {"metadata": {"name": WORKER["namespace"]}})
        for name in (WORKER["name"], "vault"):
            accounts = f"/api/v1/namespaces/{WORKER['namespace']}/serviceaccounts"
            kube.create(accounts, {"metadata": {"name": name}})
        binding = {
            "metadata": {"name": "vault"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": WORKER["namespace"]}],
        }
        kube.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        yield kube


def token_of(cluster: Kube, account: str) -> str:
    path = f"/api/v1/namespaces/{WORKER['namespace']}/serviceaccounts/{account}/token"
    return str(cluster.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])


@pytest.fixture
def kubernetes(vault: VaultServer, cluster: Kube, tmp_path: Path) -> Logins:
    vault.request("PUT", f"sys/policies/acl/{POLICY}", {"policy": policy_of_the_tests(vault)})
    vault.request("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    config = {
        "kubernetes_host": cluster.url,
        "kubernetes_ca_cert": cluster.ca_pem,
        "token_reviewer_jwt": token_of(cluster, "vault"),
        "disable_local_ca_jwt": True,
    }
    vault.request("POST", "auth/kubernetes/config", config)
    role = {
        "bound_service_account_names": [WORKER["name"]],
        "bound_service_account_namespaces": [WORKER["namespace"]],
        "token_policies": [POLICY],
        "token_no_default_policy": True,
        "token_ttl": "5m",
    }
    vault.request("POST", "auth/kubernetes/role/pipeline", role)
    file = tmp_path / "token"
    file.write_text(token_of(cluster, WORKER["name"]) + "\n")
    return Logins(vault, {"kubernetes_role": "pipeline", "kubernetes_token_path": str(file)}, "kubernetes")


@pytest.fixture(params=["approle", "kubernetes"])
def logins(request: pytest.FixtureRequest) -> Logins:
    """Both ways to open a session, one after the other."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Logins)
    return made


def test_a_session_has_the_policy_of_its_role_and_is_revoked_at_the_end(logins: Logins) -> None:
    with contextlib.suppress(LookupError), logins.connection().client() as pipeline:
        token = pipeline.own_token()
        assert token["policies"] == [POLICY]
        assert 0 < token["ttl"] <= 300
        assert "oidc" in pipeline.auth_mounts()
        assert logins.alive(token["accessor"])
        raise LookupError  # also when the step fails
    assert not logins.alive(token["accessor"])


def test_a_session_that_ends_before_its_step_is_opened_anew(logins: Logins) -> None:
    with logins.connection().client() as pipeline:
        first = str(pipeline.own_token()["accessor"])
        logins.revoke(first)
        # Also in the middle of writing.
        pipeline.write("sys/auth/ember-k8s", {"type": "kubernetes"})
        second = str(pipeline.own_token()["accessor"])
        assert second != first
        assert "ember-k8s" in pipeline.auth_mounts()
    assert not logins.alive(second)


def test_a_right_that_lacks_is_no_reason_to_log_in_again(logins: Logins) -> None:
    with logins.counted() as paths, logins.connection().client() as pipeline:
        with pytest.raises(AccessDenied):
            pipeline.write("sys/policies/acl/mine", {"policy": ""})
        assert pipeline.look("k8s_secrets/data/emea/x").status == 403
    assert paths.count(f"auth/{logins.mount}/login") == 1


def test_the_sessions_of_others_that_we_prove_something_with_are_not_ours(approle: Logins) -> None:
    vault = approle.vault
    with approle.connection().client() as pipeline:
        mine = pipeline.own_token()["accessor"]
        login = pipeline.log_in("oidc", {"role": "users", "jwt": vault.sign_user_jwt([])})
        session = pipeline.as_session(login)  # type: ignore[arg-type]
        assert session.own_token()["accessor"] != mine
        session.revoke_own_token()
        # Its end is not taken for the end of ours.
        assert session.look("auth/token/lookup-self").status == 403
        assert pipeline.own_token()["accessor"] == mine


def test_what_cannot_be_opened_anew_is_said(approle: Logins) -> None:
    once = {"secret_id_num_uses": 1}
    approle.vault.request("POST", "auth/approle/role/pipeline", once)
    connection = approle.connection(approle_secret_id=secret_id(approle.vault))
    with connection.client() as pipeline:
        approle.revoke(str(pipeline.own_token()["accessor"]))
        with pytest.raises(AccessDenied, match="refused our login: 400 invalid role or secret ID") as caught:
            pipeline.auth_mounts()
    assert "was used up" in caught.value.remedy
    assert "vault write -f auth/approle/role/NAME/secret-id" in caught.value.remedy


def test_a_batch_token_is_left_to_end(approle: Logins, caplog: pytest.LogCaptureFixture) -> None:
    approle.vault.request("POST", "auth/approle/role/pipeline", {"token_type": "batch"})
    with approle.counted() as paths, approle.connection().client() as pipeline:
        assert "oidc" in pipeline.auth_mounts()
    assert "auth/token/revoke-self" not in paths
    assert not caplog.records


def test_a_given_token_is_neither_renewed_nor_revoked_nor_opened_anew(vault: VaultServer) -> None:
    given = Logins(vault, {"token": vault.pipeline_token}, "token")
    with given.connection().client() as pipeline:
        before = pipeline.own_token()
    with given.counted() as paths, given.connection().client() as pipeline:
        pipeline.auth_mounts()
        after = pipeline.own_token()
    assert given.alive(after["accessor"])
    assert before["renewable"], "it could have been renewed"
    assert (after["expire_time"], after.get("last_renewal")) == (before["expire_time"], None)
    assert set(paths) == {"sys/auth", "auth/token/lookup-self"}
    given.revoke(after["accessor"])
    with (
        given.connection().client() as pipeline,
        given.counted() as paths,
        pytest.raises(AccessDenied, match="403"),
    ):
        pipeline.auth_mounts()
    assert paths == ["sys/auth"]


def test_what_our_token_may_do_is_asked_once_for_each_path(vault: VaultServer) -> None:
    given = Logins(vault, {"token": vault.pipeline_token}, "token")
    with given.counted() as paths, given.connection().client() as pipeline:
        for asked in (["sys/auth"], ["sys/mounts", "sys/auth"], ["sys/mounts"]):
            assert list(pipeline.capabilities(asked)) == asked
    assert paths == ["sys/capabilities-self"] * 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_session_that_cannot_be_revoked_hides_nothing(
    approle: Logins, caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    expected = pytest.raises(Busy, match="sealed") if fails else contextlib.nullcontext()
    try:
        with expected, approle.connection().client() as pipeline:
            pipeline.auth_mounts()
            approle.vault.seal()
            if fails:
                pipeline.auth_mounts()
    finally:
        approle.vault.unseal()
    assert "was not revoked; it expires by itself" in caplog.text


@pytest.mark.parametrize(
    ("is_a_token", "remedy"),
    [
        (False, "has expired or was used up"),
        (True, "looks like a wrapping token: run `vault unwrap` with it"),
    ],
)
def test_a_secret_id_that_does_not_log_in_is_explained_and_not_told(
    approle: Logins, remedy: str, caplog: pytest.LogCaptureFixture, *, is_a_token: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = approle.vault.pipeline_token if is_a_token else "c0ffee00-0000-4000-8000-000000000000"
    with pytest.raises(AccessDenied) as caught:
        approle.connection(approle_secret_id=secret).client()
    assert "auth/approle/login: refused our login: 400 invalid role or secret ID" in str(caught.value)
    assert remedy in caught.value.remedy
    assert secret not in caplog.text + repr(caught.value) + str(caught.value.__dict__)


def test_the_pods_own_token_is_read_at_each_login(kubernetes: Logins, cluster: Kube) -> None:
    file = Path(kubernetes.fields["kubernetes_token_path"])
    connection = kubernetes.connection()
    file.write_text("not a token any more")
    with pytest.raises(AccessDenied, match="auth/kubernetes/login: refused our login") as caught:
        connection.client()
    assert "binds the ServiceAccount and namespace of the worker's pod" in caught.value.remedy
    file.write_text(another := token_of(cluster, "vault"))
    with pytest.raises(AccessDenied, match="403 service account name not authorized") as caught:
        connection.client()
    assert another not in repr(caught.value)
    file.write_text(token_of(cluster, WORKER["name"]))
    with connection.client() as pipeline:
        assert pipeline.own_token()["policies"] == [POLICY]


def test_without_a_pod_it_is_said_that_there_is_none(kubernetes: Logins, tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteMissing, match=r"cannot read the ServiceAccount token .*/nowhere"):
        kubernetes.connection(kubernetes_token_path=str(tmp_path / "nowhere")).client()
    usual = VaultConnection(address="https://vault.example.com", kubernetes_role="pipeline")
    assert usual.kubernetes_token_path == "/var/run/secrets/kubernetes.io/serviceaccount/token"
