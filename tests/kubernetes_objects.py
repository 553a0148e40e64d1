"""What ArgoCD brings to a cluster in an onboarding, put there by hand: for tests without the GitOps agent."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.kubernetes_api import KubernetesApi
from sandbox.ports import ANSWER_SECONDS
from tests.eventually import eventually

ESO = "external-secrets-operator"
NAMESPACES = ("payments", "web")
TOKEN_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "eso-vault-auth-token",
        "namespace": ESO,
        "annotations": {"kubernetes.io/service-account.name": "eso-vault-auth"},
    },
    "type": "kubernetes.io/service-account-token",
}
_RBAC = "rbac.authorization.k8s.io"
DELEGATION = {
    "apiVersion": f"{_RBAC}/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "eso-tokenreview"},
    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "system:auth-delegator"},
    "subjects": [{"kind": "ServiceAccount", "name": "eso-vault-auth", "namespace": ESO}],
}
_CORE = "/api/v1/namespaces"
_BINDINGS = f"/apis/{_RBAC}/v1/clusterrolebindings"


class Cluster:
    """The cluster's API with the administrator's token."""

    def __init__(self, api: KubernetesApi) -> None:
        config = yaml.safe_load(Path(api.admin_kubeconfig).read_text())
        self._http = httpx.Client(
            base_url=api.url,
            verify=ssl.create_default_context(cadata=api.ca_pem),
            headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
            timeout=ANSWER_SECONDS,
        )

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """One request; 404 and 409 are answers like others."""
        answer = self._http.request(method, path, json=body)
        if answer.status_code not in {404, 409}:
            answer.raise_for_status()
        return answer.json()

    def status(self, path: str) -> int:
        """Status of the answer to a GET."""
        return self._http.get(path).status_code

    def close(self) -> None:
        self._http.close()

    def bring_onboarding(self) -> None:
        """Namespaces, ServiceAccounts, the reviewer's token and its binding."""
        for namespace in (ESO, *NAMESPACES):
            self.send("POST", _CORE, {"metadata": {"name": namespace}})
        self.send("POST", f"{_CORE}/{ESO}/serviceaccounts", {"metadata": {"name": "eso-vault-auth"}})
        for namespace in NAMESPACES:
            account = {"metadata": {"name": "vault-secret-fetcher"}}
            self.send("POST", f"{_CORE}/{namespace}/serviceaccounts", account)
        self.send("POST", f"{_CORE}/{ESO}/secrets", TOKEN_SECRET)
        self.send("POST", _BINDINGS, DELEGATION)
        secret = f"{_CORE}/{ESO}/secrets/eso-vault-auth-token"
        eventually(lambda: self.send("GET", secret).get("data", {}).get("token"))

    def unbind_reviewer(self) -> None:
        """Take ``system:auth-delegator`` from the reviewer."""
        self.send("DELETE", f"{_BINDINGS}/eso-tokenreview")

    def delete_token_secret(self) -> None:
        """Remove the reviewer's token Secret."""
        self.send("DELETE", f"{_CORE}/{ESO}/secrets/eso-vault-auth-token")


@contextmanager
def onboarded(api: KubernetesApi) -> Iterator[Cluster]:
    """A cluster with the objects of an onboarding; what a test takes away is there again for the next."""
    cluster = Cluster(api)
    try:
        cluster.bring_onboarding()
        yield cluster
    finally:
        cluster.close()
