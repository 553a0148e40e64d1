"""What External Secrets Operator shows of itself on a cluster, put there by hand: nothing fetches a secret.

Kinds, labels, condition and Events are those of ESO 2: the condition says only that something is wrong, the
Event has the answer of Vault with all its lines.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sandbox.gitops_agent.operator_lifecycle import definitions
from tests.eventually import eventually
from tests.kubernetes_objects import ESO, NAMESPACES, Cluster

STORE = "opf-vault-store"
NOT_VALID = ("False", "InvalidProviderConfig", "unable to create client")
VALID = ("True", "Valid", "store validated")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{ESO}/deployments"
_LABELS = {"app.kubernetes.io/name": "external-secrets"}


def provider(server: str, ca_pem: str, service_account: str, /, **changes: Any) -> dict[str, Any]:
    """``spec.provider.vault`` of the store for emea/ember, with fields of it or of its login changed."""
    login = {"mountPath": "ember-k8s", "role": "emea-ops", "serviceAccountRef": {"name": service_account}}
    fields = {
        "server": server,
        "path": "k8s_secrets",
        "version": "v2",
        "caBundle": base64.b64encode(ca_pem.encode()).decode(),
        "auth": {"kubernetes": {name: changes.pop(name, value) for name, value in login.items()}},
    }
    return fields | changes


class Operator:
    """The operator of one cluster, whose objects an administrator makes."""

    def __init__(self, cluster: Cluster, vault: Mapping[str, Any], store: str = STORE) -> None:
        self._cluster = cluster
        self.vault = vault
        self._store = store

    def install(self, *, replicas: int | None = 1) -> None:
        """The kinds, and a Deployment of which so many replicas are ready; None for no Deployment."""
        for crd in definitions(("v1",))[:2]:
            self._cluster.send("POST", _DEFINITIONS, dict(crd))
        self._until_served(200)
        if replicas is None:
            return
        pod = {"containers": [{"name": "operator", "image": "example.com/operator"}]}
        body = {
            "metadata": {"name": "external-secrets", "labels": _LABELS},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": _LABELS},
                "template": {"metadata": {"labels": _LABELS}, "spec": pod},
            },
        }
        self._cluster.send("POST", _DEPLOYMENT, body)
        self.run(replicas=replicas)

    def run(self, *, replicas: int) -> None:
        """So many replicas are ready now."""
        self._say(f"{_DEPLOYMENT}/external-secrets", {"replicas": 1, "readyReplicas": replicas})

    def remove(self) -> None:
        """Everything of it, and the kinds."""
        self._cluster.send("DELETE", f"{_DEPLOYMENT}/external-secrets")
        for namespace in NAMESPACES:
            events = f"/api/v1/namespaces/{namespace}/events"
            for event in self._cluster.send("GET", events)["items"]:
                self._cluster.send("DELETE", f"{events}/{event['metadata']['name']}")
        self.remove_kinds()

    def remove_kinds(self) -> None:
        """The CRDs, and with them every SecretStore and ExternalSecret."""
        for plural in ("externalsecrets", "secretstores"):
            self._cluster.send("DELETE", f"{_DEFINITIONS}/{plural}.external-secrets.io")
        self._until_served(404)

    def bring_store(self, namespace: str, condition: tuple[str, str, str] | None = VALID) -> None:
        """A SecretStore with the condition ``Ready`` (status, reason, message), or looked at by nobody."""
        kind = {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore"}
        spec = {"provider": {"vault": self.vault}}
        self._cluster.send(
            "POST", _stores(namespace), {**kind, "metadata": {"name": self._store}, "spec": spec}
        )
        if condition:
            self.judge(namespace, condition)

    def judge(self, namespace: str, condition: tuple[str, str, str], since: str = "") -> None:
        """What the operator thinks of a SecretStore now, or thought at a moment.

        Of a ClusterSecretStore for an empty namespace.
        """
        status, reason, message = condition
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        ready |= {"lastTransitionTime": since} if since else {}
        self._say(f"{_stores(namespace)}/{self._store}", {"conditions": [ready]})

    def bring_secret(
        self, namespace: str, name: str, store: str, condition: tuple[str, str, str], store_kind: str = ""
    ) -> None:
        """An ExternalSecret of a store, by default a SecretStore, and what the operator thinks of it."""
        kind = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret"}
        path = _stores(namespace).replace("secretstores", "externalsecrets")
        spec = {"secretStoreRef": {"name": store, **({"kind": store_kind} if store_kind else {})}}
        self._cluster.send("POST", path, {**kind, "metadata": {"name": name}, "spec": spec})
        status, reason, message = condition
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        self._say(f"{path}/{name}", {"conditions": [ready]})

    def tell(self, namespace: str, *events: tuple[str, str, str]) -> None:
        """Events of our SecretStore (type, reason, message), a minute apart, the newest last."""
        self.tell_of(namespace, "SecretStore", self._store, *events)

    def tell_of(self, namespace: str, kind: str, name: str, *events: tuple[str, str, str]) -> None:
        """The same of another object."""
        for number, (sort, reason, message) in enumerate(events):
            moment = f"2026-01-01T00:0{number}:00Z"
            body = {
                # The newest is the first by name: an order by name would be the wrong one.
                "metadata": {"name": f"{name}.{len(events) - number}", "namespace": namespace},
                "involvedObject": {"kind": kind, "name": name, "namespace": namespace},
                "type": sort,
                "reason": reason,
                "message": message,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
            }
            self._cluster.send("POST", f"/api/v1/namespaces/{namespace}/events", body)

    def _say(self, path: str, status: dict[str, Any]) -> None:
        found = self._cluster.send("GET", path)
        said = self._cluster.send("PUT", f"{path}/status", {**found, "status": status})
        assert said["status"] == status

    def _until_served(self, code: int) -> None:
        eventually(lambda: self._cluster.status(_stores(NAMESPACES[0])) == code)


def _stores(namespace: str) -> str:
    if not namespace:
        return "/apis/external-secrets.io/v1/clustersecretstores"
    return f"/apis/external-secrets.io/v1/namespaces/{namespace}/secretstores"
