"""The pipeline's account on the sandbox's cluster: as narrow as on a real one, from the same manifests."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import yaml

from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.manifests import Identity
from deployments.sandbox.kubernetes_api import kubeconfig
from deployments.sandbox.processes import SandboxError

MANIFESTS = CHECKOUT / "deployments" / "manifests" / "cluster-account.yaml"
_TOKEN_SECRET = Identity("v1", "Secret", "vault-enablement", "pipeline-token")
_TOKEN_SECONDS = 30.0
_POLL_SECONDS = 0.1


class ClusterAccount:
    """Makes the account with an administrator's kubeconfig, and can take away what it made."""

    def __init__(self, admin_kubeconfig: Path) -> None:
        self._admin_kubeconfig = admin_kubeconfig
        self._created: list[Identity] = []

    def create(self) -> None:
        """Apply the manifests.

        Raises:
            ClusterError: the API server refused.
        """
        with Cluster(self._admin_kubeconfig) as cluster:
            for manifest in yaml.safe_load_all(MANIFESTS.read_text()):
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
