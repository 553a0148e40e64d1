"""The pipeline's account on the sandbox's cluster: as narrow as on a real one, from the same manifests."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from sandbox.gitops_agent.cluster import GONE_SECONDS, Cluster, server_of
from sandbox.gitops_agent.manifests import Identity, Manifest
from sandbox.gitops_agent.onboarding import clean_up
from sandbox.kubernetes_api import kubeconfig
from sandbox.processes import SandboxError

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

    def create(self, say: Callable[[str], None] = print) -> None:
        """Apply the manifests, after the namespaces that they take for granted.

        Args:
            say: takes a line for people where something is waited for.

        Raises:
            ClusterError: the API server refused.
        """
        manifests = list(yaml.safe_load_all(self._manifests))
        named = {manifest["metadata"].get("namespace") for manifest in manifests} - {None}
        with Cluster(self._admin_kubeconfig) as cluster:
            for namespace in sorted(named):
                manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                identity = Identity.of(manifest)
                there = cluster.get(identity)
                if there and "deletionTimestamp" in there["metadata"]:
                    say(f"waiting until {identity}, which is being deleted, is gone")
                    there = None if list(cluster.gone([identity], GONE_SECONDS)) else there
                # One that is there has labels: to apply it without them would take them away.
                if there is None:
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

    def remove(self) -> Iterator[str]:
        """Delete what `create` created, and wait until it is gone; yields a line for each."""
        with Cluster(self._admin_kubeconfig) as cluster:
            yield from clean_up(cluster, self._created)
