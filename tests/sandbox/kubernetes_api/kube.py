"""An API server as the tests of this folder see it: raw requests, a namespace, tokens, rights."""

from __future__ import annotations

import base64
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.eventually import eventually

APPLY_PATCH = "application/apply-patch+yaml"
RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC = f"/apis/{RBAC_GROUP}/v1"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def _merged(item: Any, change: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(change, dict):
        return change
    merged = item | {name: _merged(item.get(name), value) for name, value in change.items()}
    return {name: value for name, value in merged.items() if value is not None}


@dataclass
class Kube:
    """An API server seen by its administrator; every request may be sent as somebody else."""

    kubeconfig: Path
    url: str
    ca_pem: str
    administrator: httpx.Client
    anybody: httpx.Client

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        media_type: str = "application/json",
        **headers: str,
    ) -> httpx.Response:
        """One request: as the administrator, or with ``token`` (``""`` means without any)."""
        client = self.administrator if token is None else self.anybody
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes | None) else None
        json = None if content is body else body
        if body is not None:
            headers["Content-Type"] = media_type
        return client.request(method, path, content=content, json=json, headers=headers)

    def get(self, path: str) -> Any:
        """What is there."""
        return self._done(self.send("GET", path))

    def create(self, path: str, body: Any) -> Any:
        """Create, and return what was created."""
        return self._done(self.send("POST", path, body))

    def change(self, path: str, change: Any) -> Any:
        """Replace an object by itself with a change merged in (None removes); returns what is there now.

        Again while the cluster's own controllers change it between reading and writing, as clients do.
        """
        for _ in range(20):
            answer = self.send("PUT", path, _merged(self.get(path), change))
            if answer.status_code != 409:
                break
        return self._done(answer)

    def apply(self, path: str, body: Any) -> Any:
        """Server-side apply, and return what is there now."""
        return self._done(self.send("PATCH", path, body, media_type=APPLY_PATCH))

    def delete(self, path: str) -> Any:
        """Delete, and return the answer."""
        return self._done(self.send("DELETE", path))

    def gone(self, path: str) -> bool:
        """Whether nothing is there."""
        return self.send("GET", path).status_code == 404

    def review(self, token: str, *audiences: str) -> Any:
        """The status of a TokenReview."""
        spec = {"token": token} | ({"audiences": list(audiences)} if audiences else {})
        return self.create(TOKEN_REVIEWS, {"spec": spec})["status"]

    @staticmethod
    def _done(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json()


def token_secret_of(account: str, name: str) -> dict[str, Any]:
    """A Secret that the cluster shall fill with a token."""
    metadata = {"name": name, "annotations": {"kubernetes.io/service-account.name": account}}
    return {"metadata": metadata, "type": "kubernetes.io/service-account-token"}


@dataclass
class Namespace:
    """A namespace of its own for one test, and the cluster-scoped objects that the test makes."""

    kube: Kube
    name: str
    cluster_objects: list[str] = field(default_factory=list)

    @property
    def core(self) -> str:
        """Path of the namespace's core objects."""
        return f"/api/v1/namespaces/{self.name}"

    @property
    def rbac(self) -> str:
        """Path of the namespace's roles and bindings."""
        return f"{RBAC}/namespaces/{self.name}"

    def make_in_cluster(self, path: str, body: Any) -> Any:
        """Create a cluster-scoped object that is deleted after the test."""
        made = self.kube.create(path, body)
        self.cluster_objects.append(f"{path}/{made['metadata']['name']}")
        return made

    def account(self, name: str) -> Any:
        """A ServiceAccount."""
        return self.kube.create(f"{self.core}/serviceaccounts", {"metadata": {"name": name}})

    def token(self, account: str, **spec: Any) -> str:
        """A token of a ServiceAccount, from the TokenRequest API."""
        path = f"{self.core}/serviceaccounts/{account}/token"
        token: str = self.kube.create(path, {"spec": spec})["status"]["token"]
        return token

    def token_secret(self, account: str, name: str) -> str:
        """Make a token Secret, wait until it is filled, return its token."""
        self.kube.create(f"{self.core}/secrets", token_secret_of(account, name))
        data = eventually(lambda: self.kube.get(f"{self.core}/secrets/{name}").get("data"))
        return base64.b64decode(data["token"]).decode()

    def allow(self, account: str, rules: list[dict[str, Any]], name: str = "allowed") -> None:
        """Give a ServiceAccount rights in this namespace."""
        self.kube.create(f"{self.rbac}/roles", {"metadata": {"name": name}, "rules": rules})
        self.bind(account, "Role", name)

    def bind(self, account: str, kind: str, role: str, subject: dict[str, str] | None = None) -> None:
        """A RoleBinding of a role to a ServiceAccount of this namespace, or to another subject."""
        body = {
            "metadata": {"name": role.replace(":", "-")},
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": kind, "name": role},
            "subjects": [subject or {"kind": "ServiceAccount", "name": account, "namespace": self.name}],
        }
        self.kube.create(f"{self.rbac}/rolebindings", body)


def connect(kubeconfig: Path) -> Kube:
    """An API server from a kubeconfig with inline certificates and a token or a client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    ca_pem = base64.b64decode(cluster["certificate-authority-data"]).decode()
    trust = ssl.create_default_context(cadata=ca_pem)
    personal = ssl.create_default_context(cadata=ca_pem)
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as identity:
            for part in ("client-certificate-data", "client-key-data"):
                identity.write(base64.b64decode(user[part]))
            identity.flush()
            personal.load_cert_chain(identity.name)
    url = cluster["server"]
    return Kube(
        kubeconfig=kubeconfig,
        url=url,
        ca_pem=ca_pem,
        administrator=httpx.Client(base_url=url, verify=personal, headers=headers, trust_env=False),
        anybody=httpx.Client(base_url=url, verify=trust, trust_env=False),
    )
