"""Secrets with the token of a ServiceAccount, which the cluster fills."""

from __future__ import annotations

import base64
from pathlib import Path

from sandbox.kubernetes_api import KubernetesApi
from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import (
    Kube,
    Namespace,
    connect,
    token_secret_of,
)
from tests.sandbox.kubernetes_api.test_kubernetes_tokens import claims_of, refused


def test_a_token_secret_is_filled_by_the_cluster(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    secret = kube.get(f"{namespace.core}/secrets/app-token")
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data["token"] == token
    assert data["namespace"] == namespace.name
    assert data["ca.crt"] == kube.ca_pem
    uid = account["metadata"]["uid"]
    assert secret["metadata"]["annotations"] == {
        "kubernetes.io/service-account.name": "app",
        "kubernetes.io/service-account.uid": uid,
    }
    assert claims_of(token) == {
        "iss": "kubernetes/serviceaccount",
        "sub": f"system:serviceaccount:{namespace.name}:app",
        "kubernetes.io/serviceaccount/namespace": namespace.name,
        "kubernetes.io/serviceaccount/secret.name": "app-token",
        "kubernetes.io/serviceaccount/service-account.name": "app",
        "kubernetes.io/serviceaccount/service-account.uid": uid,
    }


def test_stand_in_lets_one_wait_for_a_token_as_long_as_told(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, controller_delay=3600) as api:
        kube = connect(api.admin_kubeconfig)
        namespace = Namespace(kube, "default")
        namespace.account("app")
        kube.create(f"{namespace.core}/secrets", token_secret_of("app", "t"))
        assert "data" not in kube.get(f"{namespace.core}/secrets/t")


def test_a_token_secret_has_to_name_its_account(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("POST", f"{namespace.core}/secrets", token_secret_of("", "t"))
    assert answer.status_code == 422
    field = "metadata.annotations[kubernetes.io/service-account.name]"
    assert answer.json()["message"] == f'Secret "t" is invalid: {field}: Required value'


def test_a_token_secret_without_its_account_is_deleted(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", token_secret_of("nobody", "t"))
    eventually(lambda: kube.gone(f"{namespace.core}/secrets/t"))


def test_a_token_secret_goes_with_its_account(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    assert not refused(kube, token)
    kube.delete(f"{namespace.core}/serviceaccounts/app")
    eventually(lambda: kube.gone(f"{namespace.core}/secrets/app-token"))
    assert eventually(lambda: refused(kube, token)).startswith("[invalid bearer token, ")


def test_a_legacy_token_dies_with_its_secret(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    kube.delete(f"{namespace.core}/secrets/app-token")
    expected = "[invalid bearer token, Token has been invalidated]"
    assert eventually(lambda: refused(kube, token)) == expected


def test_a_cleared_token_is_issued_again(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    namespace.token_secret("app", "app-token")
    path = f"{namespace.core}/secrets/app-token"
    kube.change(path, {"data": {"token": None}})
    eventually(lambda: "token" in kube.get(path)["data"])
