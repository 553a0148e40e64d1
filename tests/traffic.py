"""What a run asked and what it wrote, counted at the systems themselves.

A write is a request that changes Vault, cluster or Git. Logging in and out, asking for a token or for a
review, and looking something up by POST are asks.
"""

from __future__ import annotations

import json
from typing import Protocol

from deployments.sandbox.github_api import GitHubApi
from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.vault_server import VaultServer

_VAULT_ASKS = ("/login", "auth/token/revoke-self", "sys/capabilities-self", "identity/lookup/group")
_CLUSTER_ASKS = ("/token", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews")


class Systems(Protocol):
    """Whoever holds the three systems."""

    @property
    def vault(self) -> VaultServer: ...
    @property
    def kubernetes(self) -> KubernetesApi: ...
    @property
    def github(self) -> GitHubApi: ...


class Traffic:
    """Requests since it was made, or since `forget`."""

    def __init__(self, world: Systems) -> None:
        self._world = world
        self.forget()

    def forget(self) -> None:
        """Count from here."""
        self._audit = self._world.vault.audit_log.stat().st_size
        self._cluster = len(self._world.kubernetes.requests)
        self._github = len(self._world.github.requests)

    def _vault(self) -> list[tuple[str, str]]:
        with self._world.vault.audit_log.open() as log:
            log.seek(self._audit)
            entries = [json.loads(line) for line in log]
        return [
            (entry["request"]["operation"], entry["request"]["path"])
            for entry in entries
            if entry["type"] == "request"
        ]

    def seen(self) -> int:
        """All requests."""
        return (
            len(self._vault())
            + len(self._world.kubernetes.requests[self._cluster :])
            + len(self._world.github.requests[self._github :])
        )

    def writes(self) -> list[str]:
        """Those that change something, as a person reads them."""
        vault = [
            f"Vault {operation} {path}"
            for operation, path in self._vault()
            if operation not in {"read", "list", "help", "header"} and not path.endswith(_VAULT_ASKS)
        ]
        cluster = [
            f"cluster {method} {path}"
            for method, path, *_ in self._world.kubernetes.requests[self._cluster :]
            if method != "GET" and not path.split("?")[0].endswith(_CLUSTER_ASKS)
        ]
        github = [
            f"GitHub {one.method} {one.path}"
            for one in self._world.github.requests[self._github :]
            if one.method != "GET" and not one.path.endswith("/git-upload-pack")
        ]
        return vault + cluster + github
