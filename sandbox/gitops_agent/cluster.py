"""The cluster's API as ArgoCD uses it: which kinds are served, server-side apply, delete."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from sandbox.certificates import write_private
from sandbox.gitops_agent.manifests import Identity, Manifest
from sandbox.processes import SandboxError

FIELD_MANAGER = "gitops-agent"
GONE_SECONDS = 180.0
"""What deleted objects get to be gone."""

_SECONDS = 30.0
_POLL_SECONDS = 0.2


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

    def __init__(
        self,
        kubeconfig: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
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

    def apply(self, manifest: Manifest, *, force: bool) -> None:
        """Server-side apply of one object whose kind is served.

        Args:
            manifest: with its namespace filled in.
            force: take over fields that somebody else manages, as ArgoCD does; else that is a 409.
        """
        identity = Identity.of(manifest)
        resource = self.resource(identity.api_version, identity.kind)
        if resource is None:
            msg = f"{identity.kind} ({identity.api_version}) is not served"
            raise ClusterError(404, msg)
        self._send(
            "PATCH",
            resource.path(identity),
            params={"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"},
            content=json.dumps(manifest),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

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

    def gone(self, identities: Iterable[Identity], seconds: float) -> Iterator[Identity]:
        """Wait for deleted objects; yields each when it is gone, and ends when all are or the time is up.

        A namespace is Terminating until its controller has asked for every kind that is served, half a minute
        and more where a CRD came or went a moment ago.
        """
        left, deadline = list(identities), self._clock() + seconds
        while left:
            self.forget()
            for identity in [one for one in left if self.get(one) is None]:
                left.remove(identity)
                yield identity
            if self._clock() > deadline:
                return
            self._sleep(_POLL_SECONDS)

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


def server_of(kubeconfig: Path) -> tuple[str, str]:
    """URL of the API server of the current context, and its authority (PEM, empty for none).

    Raises:
        SandboxError: the file is not a kubeconfig.
    """
    cluster, _ = _current(kubeconfig)
    return cluster["server"], _content(kubeconfig, cluster, "certificate-authority")


def _login(kubeconfig: Path) -> tuple[str, ssl.SSLContext, dict[str, str]]:
    server, authority = server_of(kubeconfig)
    trust = ssl.create_default_context(cadata=authority or None)
    # The authorities of clusters in the field lack extensions that Python 3.13 asks for.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    _, user = _current(kubeconfig)
    certificate, key = (_content(kubeconfig, user, field) for field in ("client-certificate", "client-key"))
    if certificate and key:
        with tempfile.TemporaryDirectory() as directory:
            pair = write_private(Path(directory, "pair.pem"), f"{certificate}\n{key}")
            trust.load_cert_chain(pair)
    token = user.get("token")
    return server, trust, {"Authorization": f"Bearer {token}"} if token else {}


def _current(kubeconfig: Path) -> tuple[Manifest, Manifest]:
    """Cluster and user of the current context."""
    try:
        config = yaml.safe_load(kubeconfig.read_text())
        contexts, clusters, users = (
            {entry["name"]: entry[kind] for entry in config[f"{kind}s"]}
            for kind in ("context", "cluster", "user")
        )
        context = contexts[config["current-context"]]
        cluster, user = clusters[context["cluster"]], users[context["user"]]
        return {**cluster, "server": str(cluster["server"])}, user
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        msg = f"{kubeconfig} cannot be used as a kubeconfig: {type(error).__name__}"
        raise SandboxError(msg) from error


def _content(kubeconfig: Path, fields: Manifest, field: str) -> str:
    inline = fields.get(f"{field}-data")
    if inline:
        return base64.b64decode(inline).decode()
    file = fields.get(field)
    return (kubeconfig.parent / file).read_text() if file else ""
