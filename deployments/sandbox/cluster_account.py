"""The pipeline's account on the sandbox's cluster: as narrow as on a real one, from the same manifests."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import yaml

from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.manifests import Identity, Manifest
from deployments.sandbox.kubernetes_api import kubeconfig
from deployments.sandbox.processes import SandboxError

_TOKEN_SECRET = Identity("v1", "Secret", "vault-enablement", "pipeline-token")
_TOKEN_SECONDS = 30.0
_POLL_SECONDS = 0.1


class ClusterAccount:
    """Makes the account with an administrator's kubeconfig, and can take away what it made."""

    def __init__(self, admin_kubeconfig: Path, manifests: str) -> None:
        """Args: manifests: of the account and its rights, YAML."""
        self._admin_kubeconfig = admin_kubeconfig
        self._manifests = manifests
        self._created: list[Identity] = []

    def create(self) -> None:
        """Apply the manifests, after the namespaces that they take for granted.

        Raises:
            ClusterError: the API server refused.
        """
        manifests = list(yaml.safe_load_all(self._manifests))
        named = {manifest["metadata"].get("namespace") for manifest in manifests} - {None}
        with Cluster(self._admin_kubeconfig) as cluster:
            for namespace in sorted(named):
                manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                # One that is there has labels: to apply it without them would take them away.
                if cluster.get(Identity.of(manifest)) is None:
                    self._apply(cluster, manifest)
            for manifest in manifests:
                self._apply(cluster, manifest)

    def _apply(self, cluster: Cluster, manifest: Manifest) -> None:
        identity = Identity.of(manifest)
        existed = cluster.get(identity) is not None
        cluster.apply(manifest, force=False)
        if not existed:
            self._created.append(identity)

    def kubeconfig(self, cluster_name: str) -> str:
        """Text of a kubeconfig with the account's token, once the cluster has filled it in.

        Raises:
            SandboxError: no token came.
        """
        server, authority = server_of(self._admin_kubeconfig)
        deadline = time.monotonic() + _TOKEN_SECONDS
        with Cluster(self._admin_kubeconfig) as cluster:
            while time.monotonic() < deadline:
                token = ((cluster.get(_TOKEN_SECRET) or {}).get("data") or {}).get("token")
                if token:
                    text = base64.b64decode(token).decode()
                    return kubeconfig(cluster_name, server, authority, "pipeline", text)
                time.sleep(_POLL_SECONDS)
        msg = f"{server} did not fill in the token of {_TOKEN_SECRET} within {_TOKEN_SECONDS:.0f} s"
        raise SandboxError(msg)

    def remove(self) -> list[str]:
        """Delete what `create` created; returns what could be said about it, a line each."""
        with Cluster(self._admin_kubeconfig) as cluster:
            for identity in reversed(self._created):
                cluster.delete(identity)
        return [f"removed {identity}" for identity in reversed(self._created)]


def server_of(kubeconfig_file: Path) -> tuple[str, str]:
    """URL of the API server of the current context, and its authority (PEM, empty for none).

    Raises:
        SandboxError: the file is not a kubeconfig.
    """
    try:
        config = yaml.safe_load(kubeconfig_file.read_text())
        names = {entry["name"]: entry["context"]["cluster"] for entry in config["contexts"]}
        clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
        cluster = clusters[names[config["current-context"]]]
        server = str(cluster["server"])
        if inline := cluster.get("certificate-authority-data"):
            return server, base64.b64decode(inline).decode()
        file = cluster.get("certificate-authority")
        return server, (kubeconfig_file.parent / file).read_text() if file else ""
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        msg = f"{kubeconfig_file} cannot be used as a kubeconfig: {type(error).__name__}"
        raise SandboxError(msg) from error
