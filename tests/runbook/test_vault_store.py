"""How a SecretStore is read, and what of it is not as a run means it."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.conventions import Conventions
from runbook.request import EnableRequest
from runbook.vault_store import VaultStore
from sandbox.certificates import CertificateAuthority
from tests.operator_by_hand import provider

VAULT, CA = "https://vault.example.com", CertificateAuthority("Vault's").pem
REQUEST = EnableRequest(cluster="ember", env="emea", namespaces=("payments",), cluster_connection="ember")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"server": f"{VAULT}/"}, ""),
        ({"server": "https://vault.example.org"}, f"server is https://vault.example.org, not {VAULT}"),
        ({"path": "k8s_secrets/"}, ""),
        ({"path": "k8s_secrets/data"}, ""),
        ({"path": "data"}, "path is data, not k8s_secrets"),
        ({"version": ""}, ""),
        ({"version": "v1"}, "version is v1, not v2"),
        ({"namespace": "team"}, "namespace is team, not empty"),
        ({"mountPath": "/ember-k8s/"}, ""),
        ({"mountPath": "kubernetes"}, "mountPath is kubernetes, not ember-k8s"),
        ({"role": "EMEA-ops"}, ""),
        ({"role": "apac-ops"}, "role is apac-ops, not emea-ops"),
        (
            {"serviceAccountRef": {"name": "default"}},
            "serviceAccountRef.name is default, not vault-secret-fetcher",
        ),
        (
            {"auth": {"tokenSecretRef": {"name": "t", "key": "t"}}},
            "mountPath is empty, not ember-k8s; role is",
        ),
        ({"auth": "kubernetes"}, "mountPath is empty, not ember-k8s; role is"),
        ({"caBundle": "not base64!"}, "caBundle is not base64!, not certificate"),
        ({"caBundle": "", "caProvider": {"type": "ConfigMap", "name": "ca", "key": "ca.crt"}}, ""),
    ],
    ids=str,
)
def test_fields_are_compared_as_the_operator_and_vault_read_them(changed: dict[str, Any], said: str) -> None:
    meant = VaultStore.meant(REQUEST, VAULT, CA, None)
    store = VaultStore.of_spec(
        {"provider": {"vault": provider(VAULT, CA, "vault-secret-fetcher", **changed)}}
    )
    found = "; ".join(store.differences(meant, with_ca=True))
    assert found[: len(said) or None] == said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"serviceAccountRef": {"name": "vault-secret-fetcher", "namespace": "login"}}, ""),
        ({}, "serviceAccountRef.namespace is empty, not login"),
        ({"serviceAccountRef": {}, "secretRef": {"name": "t", "namespace": "login"}}, ""),
        (
            {"serviceAccountRef": {}, "secretRef": {"name": "t", "namespace": "web"}},
            "serviceAccountRef.namespace is web, not login",
        ),
    ],
    ids=str,
)
def test_a_cluster_secret_store_says_the_namespace_of_its_account(changed: dict[str, Any], said: str) -> None:
    store = {"kind": "ClusterSecretStore", "namespace": "login"}
    meant = VaultStore.meant(_described(store), VAULT, CA, None)
    auth = provider(VAULT, CA, "vault-secret-fetcher")
    auth["auth"]["kubernetes"] |= changed
    there = VaultStore.of_spec({"provider": {"vault": auth}})
    assert "; ".join(there.differences(meant, with_ca=True)) == said
    secret = changed.get("secretRef")
    assert there.not_checked == ("; whose token Secret t has was not checked" if secret else "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"caProvider": {"type": "ConfigMap", "name": "vault.ca", "key": "ca.crt"}}, ""),
        (
            {"caProvider": {"type": "Secret", "name": "vault.ca", "key": "ca.crt"}},
            "caProvider is Secret vault.ca, key ca.crt, not ConfigMap vault.ca, key ca.crt",
        ),
        ({}, "caProvider is empty, not ConfigMap vault.ca, key ca.crt"),
    ],
    ids=str,
)
def test_the_object_with_the_ca_is_compared_where_one_is_meant(changed: dict[str, Any], said: str) -> None:
    ca = {"kind": "ConfigMap", "name": "vault.ca", "key": "ca.crt"}
    meant = VaultStore.meant(_described({"ca_provider": ca}), VAULT, CA, None)
    there = VaultStore.of_spec(
        {"provider": {"vault": provider(VAULT, CA, "vault-secret-fetcher", **changed)}}
    )
    assert "; ".join(there.differences(meant, with_ca=True)) == said
    assert there.differences(meant, with_ca=False) == ()


def _described(store: dict[str, Any]) -> EnableRequest:
    described = Conventions.model_validate({"store": store})
    return REQUEST.model_copy(update={"conventions": described})
