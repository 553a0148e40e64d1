"""The cluster's API as ArgoCD uses it: which kinds are served, server-side apply, delete."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from deployments.sandbox.gitops_agent.manifests import Identity, Manifest

FIELD_MANAGER = "gitops-agent"
_SECONDS = 30.0


class ClusterError(Exception):
    """The API server refused or did not answer; the message is its own sentence. ``status`` 0: no answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Resource:
    """A served kind: the path its objects are under, and whether they live in namespaces."""

    base: str
    plural: str
    namespaced: bool

    def path(self, identity: Identity) -> str:
        """Path of one object."""
        within = f"/namespaces/{identity.namespace}" if self.namespaced else ""
        return f"{self.base}{within}/{self.plural}/{identity.name}"


class Cluster:
    """One API server with the credentials of a kubeconfig file, of any ordinary form but exec."""

    def __init__(self, kubeconfig: Path) -> None:
        server, context, headers = _login(kubeconfig)
        # trust_env: neither a proxy nor a .netrc of the person.
        self._http = httpx.Client(
            base_url=server, verify=context, headers=headers, timeout=_SECONDS, trust_env=False
        )
        self._served: dict[str, dict[str, Resource]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def forget(self) -> None:
        """Ask again which kinds are served; they change when a CRD comes."""
        self._served.clear()

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Where objects of a kind are, None if this server does not serve it."""
        if api_version not in self._served:
            base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            found = self._get(base)
            self._served[api_version] = {
                entry["kind"]: Resource(base, entry["name"], bool(entry["namespaced"]))
                for entry in (found or {}).get("resources") or []
                if "/" not in entry["name"]
            }
        return self._served[api_version].get(kind)

    def get(self, identity: Identity) -> Manifest | None:
        """One object, None if it or its kind is not there."""
        resource = self.resource(identity.api_version, identity.kind)
        return self._get(resource.path(identity)) if resource else None

    def items(self, api_version: str, kind: str) -> list[Manifest]:
        """All objects of a kind in all namespaces; none if the kind is not served."""
        resource = self.resource(api_version, kind)
        found = self._get(f"{resource.base}/{resource.plural}") if resource else None
        return list((found or {}).get("items") or [])

    def apply(self, manifest: Manifest, *, force: bool) -> bool:
        """Server-side apply of one object whose kind is served. Returns whether it was created.

        Args:
            manifest: with its namespace filled in.
            force: take over fields that somebody else manages, as ArgoCD does; else that is a 409.
        """
        identity = Identity.of(manifest)
        resource = self.resource(identity.api_version, identity.kind)
        if resource is None:
            msg = f"{identity.kind} ({identity.api_version}) is not served"
            raise ClusterError(404, msg)
        answer = self._send(
            "PATCH",
            resource.path(identity),
            params={"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"},
            content=json.dumps(manifest),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        return answer.status_code == 201

    def delete(self, identity: Identity) -> None:
        """Delete one object; that it is gone already is fine."""
        resource = self.resource(identity.api_version, identity.kind)
        if resource is None:
            return
        try:
            self._send("DELETE", resource.path(identity), params={"propagationPolicy": "Background"})
        except ClusterError as error:
            if error.status != 404:
                raise

    def _get(self, path: str) -> Any:
        try:
            return self._send("GET", path).json()
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            msg = f"the API server does not answer ({error})"
            raise ClusterError(0, msg) from error
        if answer.is_success:
            return answer
        try:
            message = answer.json()["message"]
        except (ValueError, KeyError, TypeError):
            message = f"{answer.status_code} {answer.reason_phrase}"
        raise ClusterError(answer.status_code, str(message))


def _login(kubeconfig: Path) -> tuple[str, ssl.SSLContext, dict[str, str]]:
    config = yaml.safe_load(kubeconfig.read_text())
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    authority = _content(kubeconfig, cluster, "certificate-authority")
    trust = ssl.create_default_context(cadata=authority) if authority else ssl.create_default_context()
    # The authorities of clusters in the field lack extensions that Python 3.13 asks for.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    certificate, key = (_content(kubeconfig, user, field) for field in ("client-certificate", "client-key"))
    if certificate and key:
        with tempfile.TemporaryDirectory() as directory:
            pair = Path(directory, "pair.pem")
            pair.touch(mode=0o600)
            pair.write_text(f"{certificate}\n{key}")
            trust.load_cert_chain(pair)
    token = user.get("token")
    return cluster["server"], trust, {"Authorization": f"Bearer {token}"} if token else {}


def _named(entries: list[Manifest], name: str) -> Manifest:
    return next(entry for entry in entries if entry["name"] == name)


def _content(kubeconfig: Path, fields: Manifest, field: str) -> str:
    inline = fields.get(f"{field}-data")
    if inline:
        return base64.b64decode(inline).decode()
    file = fields.get(field)
    return (kubeconfig.parent / file).read_text() if file else ""
