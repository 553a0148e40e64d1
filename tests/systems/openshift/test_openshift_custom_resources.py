"""What custom resources say: stores with their Events, definitions, and OpenShift about itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook.errors import UnexpectedAnswer
from systems.openshift import Infrastructure, OpenShift
from tests.systems.openshift.scripted_api import Answer, Scripted

NAMESPACE = "/api/v1/namespaces/vault"
EVENTS = f"{NAMESPACE}/events"
STORE = "/apis/external-secrets.io/v1/namespaces/vault/secretstores/opf-vault-store"


def test_the_state_of_a_secret_store_and_its_events(scripted: Scripted, cluster: OpenShift) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "InvalidProviderConfig", "message": "no client"}
    conditions = [{"type": "Synced", "status": "True"}, ready]
    scripted.answers[STORE] = Answer.json({"status": {"conditions": conditions}})
    first = _event("Normal", "Created", "seen", "2026-01-01T00:00:00Z")
    last = _event("Warning", "InvalidProviderConfig", "permission denied", "2026-01-01T00:05:00Z")
    scripted.answers[EVENTS] = Answer.json({"items": [last, first, last]})
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert len(scripted.requests) == 1, "they are asked for where they matter"
    state = cluster.with_events(state, "vault", "opf-vault-store")
    assert (state.ready, state.reason, state.message) == (False, ready["reason"], ready["message"])
    assert state.last_change == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert state.events == ("Normal Created: seen", "Warning InvalidProviderConfig: permission denied")


def test_events_without_a_time_that_can_be_read_come_first(scripted: Scripted, cluster: OpenShift) -> None:
    scripted.answers[STORE] = Answer.json({"metadata": {"uid": "1"}})
    times = {"new": "2026-03-01T00:00:00Z", "old": "2026-02-28T23:00:00Z", "unknown": "yesterday"}
    scripted.answers[EVENTS] = Answer.json(
        {"items": [_event("Normal", name, "seen", at) for name, at in times.items()]}
    )
    found = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert found is not None
    found = cluster.with_events(found, "vault", "opf-vault-store")
    assert [event.split()[1] for event in found.events] == ["unknown:", "old:", "new:"]


def test_a_secret_store_that_nobody_looked_at_is_neither_ready_nor_failed(
    scripted: Scripted, cluster: OpenShift
) -> None:
    scripted.answers[STORE] = Answer.json({"spec": {}})
    scripted.answers[EVENTS] = Answer.refusal(403, "no")
    state = cluster.secret_store("vault", "opf-vault-store", "v1")
    assert state is not None
    assert cluster.with_events(state, "vault", "opf-vault-store") == state
    assert (state.ready, state.events) == (None, ())


def test_a_kind_that_is_not_served_is_absent_and_a_web_page_is_not(
    scripted: Scripted, cluster: OpenShift
) -> None:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    scripted.answers[STORE] = Answer(404, b"404 page not found\n", plain)
    assert cluster.secret_store("vault", "opf-vault-store", "v1") is None
    scripted.answers[STORE] = Answer(404, b"<html>404</html>", {"Content-Type": "text/html"})
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
    base, url = "/apis/config.openshift.io/v1", "https://api.ember.example.com:6443"
    status = {"infrastructureName": "ember-x7k2p", "apiServerURL": url}
    scripted.answers[f"{base}/infrastructures/cluster"] = Answer.json({"status": status})
    domain = {"domain": "apps.ember.example.com"}
    scripted.answers[f"{base}/ingresses/cluster"] = Answer.json({"spec": domain})
    assert cluster.infrastructure() == Infrastructure("ember-x7k2p", url)
    assert cluster.ingress_domain() == "apps.ember.example.com"


def _event(kind: str, reason: str, message: str, time: str) -> dict[str, object]:
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": time}


def _crd(established: str) -> dict[str, object]:
    served = {"v1": True, "v1beta1": True, "v1alpha1": False}
    versions = [{"name": name, "served": each, "storage": name == "v1"} for name, each in served.items()]
    condition = {"type": "Established", "status": established}
    return {"spec": {"versions": versions}, "status": {"conditions": [condition]}}
