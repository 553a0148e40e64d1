"""What External Secrets Operator shows of itself on a cluster, put there by hand: nothing fetches a secret.

Kinds, labels, condition and Events are those of ESO 2: the condition says only that something is wrong, the
Event has the answer of Vault with all its lines.
"""

from __future__ import annotations

import time
from typing import Any

from deployments.sandbox.gitops_agent.operator_lifecycle import definitions
from tests.kubernetes_objects import ESO, NAMESPACES, Cluster

STORE = "opf-vault-store"
NOT_VALID = ("False", "InvalidProviderConfig", "unable to create client")
VALID = ("True", "Valid", "store validated")
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{ESO}/deployments"
_LABELS = {"app.kubernetes.io/name": "external-secrets"}


class Operator:
    """The operator of one cluster, whose objects an administrator makes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def install(self, *, replicas: int = 1) -> None:
        """The kinds, and a Deployment of which so many replicas are ready."""
        crd = dict(definitions(("v1",))[0])
        self._cluster.send("POST", _DEFINITIONS, crd)
        self._until_served(200)
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
        self._say(f"{_DEPLOYMENT}/external-secrets", {"replicas": 1, "readyReplicas": replicas})

    def remove(self) -> None:
        """Everything of it, and the kinds."""
        self._cluster.send("DELETE", f"{_DEPLOYMENT}/external-secrets")
        for namespace in NAMESPACES:
            for number in range(10):
                path = f"/api/v1/namespaces/{namespace}/events/{STORE}.{number}"
                self._cluster.send("DELETE", path)
        self.remove_kinds()

    def remove_kinds(self) -> None:
        """The CRD, and with it every SecretStore."""
        self._cluster.send("DELETE", f"{_DEFINITIONS}/secretstores.external-secrets.io")
        self._until_served(404)

    def bring_store(self, namespace: str, condition: tuple[str, str, str] | None = VALID) -> None:
        """A SecretStore with the condition ``Ready`` (status, reason, message), or looked at by nobody."""
        kind = {"apiVersion": "external-secrets.io/v1", "kind": "SecretStore"}
        self._cluster.send("POST", _stores(namespace), {**kind, "metadata": {"name": STORE}, "spec": {}})
        if condition:
            self.judge(namespace, condition)

    def judge(self, namespace: str, condition: tuple[str, str, str]) -> None:
        """What the operator thinks of a SecretStore now."""
        status, reason, message = condition
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        self._say(f"{_stores(namespace)}/{STORE}", {"conditions": [ready]})

    def tell(self, namespace: str, *events: tuple[str, str, str]) -> None:
        """Events of a SecretStore (type, reason, message), a minute apart, the newest last."""
        for number, (kind, reason, message) in enumerate(events):
            moment = f"2026-01-01T00:0{number}:00Z"
            body = {
                # The newest is the first by name: an order by name would be the wrong one.
                "metadata": {"name": f"{STORE}.{len(events) - number}", "namespace": namespace},
                "involvedObject": {"kind": "SecretStore", "name": STORE, "namespace": namespace},
                "type": kind,
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
        deadline = time.monotonic() + 20
        while self._cluster.status(_stores(NAMESPACES[0])) != code:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _stores(namespace: str) -> str:
    return f"/apis/external-secrets.io/v1/namespaces/{namespace}/secretstores"
