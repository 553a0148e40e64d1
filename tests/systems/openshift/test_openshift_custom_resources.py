"""What custom resources say: stores with their Events, definitions, and OpenShift about itself."""

from __future__ import annotations

import pytest

from runbook.errors import UnexpectedAnswer
from systems.openshift import OpenShift
from tests.systems.openshift.scripted_api import Answer, Scripted

NAMESPACE = "/api/v1/namespaces/vault"


def test_the_state_of_a_secret_store_comes_with_its_events(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers["/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"] = (
        Answer.json(
            {
                "status": {
                    "conditions": [
                        {"type": "Synced", "status": "True"},
                        {
                            "type": "Ready",
                            "status": "False",
                            "reason": "InvalidProviderConfig",
                            "message": "unable to create client",
                        },
                    ]
                }
            }
        )
    )
    first = _event("Normal", "Created", "seen", "2026-01-01T00:00:00Z")
    last = _event("Warning", "InvalidProviderConfig", "permission denied", "2026-01-01T00:05:00Z")
    scripted.answers["/api/v1/namespaces/vault/events"] = Answer.json({"items": [last, first, last]})
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert state.ready is False
    assert (state.reason, state.message) == ("InvalidProviderConfig", "unable to create client")
    assert state.events == (
        "Normal Created: seen",
        "Warning InvalidProviderConfig: permission denied",
    )


def test_a_secret_store_that_nobody_looked_at_is_neither_ready_nor_failed(
    scripted: Scripted, cluster: OpenShift
) -> None:
    path = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"
    scripted.answers[path] = Answer.json({"spec": {}})
    scripted.answers["/api/v1/namespaces/vault/events"] = Answer.refusal(403, "no")
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert state.ready is None
    assert state.events == ()


def test_a_kind_that_is_not_served_is_absent_and_a_web_page_is_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    store = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"
    scripted.answers[store] = Answer(404, b"404 page not found\n", plain)
    assert cluster.secret_store("vault", "opf-vault-store", "v1") is None
    scripted.answers[store] = Answer(404, b"<html>404</html>", {"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer):
        cluster.secret_store("vault", "opf-vault-store", "v1")
    scripted.answers[NAMESPACE] = Answer(404, b"404 page not found\n", plain)
    with pytest.raises(UnexpectedAnswer):
        cluster.namespace_exists("vault")


def test_a_crd_serves_nothing_until_it_is_established(scripted: Scripted, cluster: OpenShift) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/secretstores.external-secrets.io"
    scripted.answers[path] = Answer.json(_crd("False"))
    assert cluster.served_versions("secretstores.external-secrets.io") == ()
    scripted.answers[path] = Answer.json(_crd("True"))
    assert cluster.served_versions("secretstores.external-secrets.io") == ("v1", "v1beta1")
    assert cluster.served_versions("externalsecrets.external-secrets.io") == ()


def test_an_openshift_cluster_says_who_it_is_and_a_plain_kubernetes_does_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    assert cluster.infrastructure() is None
    assert cluster.ingress_domain() is None
    base = "/apis/config.openshift.io/v1"
    scripted.answers[f"{base}/infrastructures/cluster"] = Answer.json(
        {
            "status": {
                "infrastructureName": "ember-x7k2p",
                "apiServerURL": "https://api.ember.example.com:6443",
            }
        }
    )
    scripted.answers[f"{base}/ingresses/cluster"] = Answer.json(
        {"spec": {"domain": "apps.ember.example.com"}}
    )
    found = cluster.infrastructure()
    assert found is not None
    assert (found.name, found.api_server_url) == ("ember-x7k2p", "https://api.ember.example.com:6443")
    assert cluster.ingress_domain() == "apps.ember.example.com"


def _event(kind: str, reason: str, message: str, time: str) -> dict[str, object]:
    involved = {"kind": "SecretStore", "name": "opf-vault-store"}
    return {
        "metadata": {"name": reason.lower()},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": time,
    }


def _crd(established: str) -> dict[str, object]:
    def version(name: str, *, served: bool) -> dict[str, object]:
        return {"name": name, "served": served, "storage": name == "v1"}

    return {
        "metadata": {"name": "secretstores.external-secrets.io"},
        "spec": {
            "group": "external-secrets.io",
            "names": {"kind": "SecretStore", "plural": "secretstores"},
            "scope": "Namespaced",
            "versions": [
                version("v1", served=True),
                version("v1beta1", served=True),
                version("v1alpha1", served=False),
            ],
        },
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }
