"""What a run asks and what it writes, counted at the systems themselves, never by the pipeline.

A write is a request that changes Vault, cluster or Git. An ask has a verb of writing and changes nothing that
stays: logging in and out, TokenRequest, TokenReview, access and rules reviews, lookups by POST.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from sandbox.github_api import GitHubApi
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer

Kind = Literal["read", "ask", "write"]
KINDS: tuple[Kind, Kind, Kind] = ("read", "ask", "write")

SYSTEMS = ("Vault", "cluster", "GitHub's API", "Git")

_VAULT_READS = {"read", "list", "help"}
_VAULT_ASKS = ("/login", "auth/token/revoke-self", "sys/capabilities-self", "identity/lookup/group")
_CLUSTER_ASKS = ("/token", "/tokenreviews", "accessreviews", "/selfsubjectrulesreviews")


class Systems(Protocol):
    """Whoever holds the three systems."""

    @property
    def vault(self) -> VaultServer: ...
    @property
    def kubernetes(self) -> KubernetesApi: ...
    @property
    def github(self) -> GitHubApi: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as the system that got it wrote it down."""

    system: str
    kind: Kind
    words: str

    def __str__(self) -> str:
        return f"{self.system}: {self.words}"


class Traffic:
    """Requests since it was made, or since `forget`."""

    def __init__(self, world: Systems) -> None:
        self._world = world
        self.forget()

    def forget(self) -> None:
        """Count from here."""
        self._audit = self._world.vault.audit_position()
        self._cluster = len(self._world.kubernetes.requests)
        self._github = len(self._world.github.requests)

    def requests(self) -> Iterator[Asked]:
        """All of them, system by system."""
        for entry in self._world.vault.audit_entries(self._audit):
            if entry["type"] == "request":
                operation, path = entry["request"]["operation"], entry["request"]["path"]
                yield Asked("Vault", _vault_kind(operation, path), f"{operation} {path}")
        for method, path, *_ in self._world.kubernetes.requests[self._cluster :]:
            yield Asked("cluster", _cluster_kind(method, path), f"{method} {path}")
        for one in self._world.github.requests[self._github :]:
            system = "Git" if ".git/" in one.path else "GitHub's API"
            # A fetch is a POST; a push is announced by a GET and sent by a POST to git-receive-pack.
            reads = one.method == "GET" or one.path.endswith("/git-upload-pack")
            yield Asked(system, "read" if reads else "write", f"{one.method} {one.path}")

    def seen(self) -> int:
        """How many there were."""
        return sum(1 for _ in self.requests())

    def writes(self) -> list[str]:
        """Those that change something, as a person reads them."""
        return [str(asked) for asked in self.requests() if asked.kind == "write"]


def _vault_kind(operation: str, path: str) -> Kind:
    if path.endswith(_VAULT_ASKS):
        return "ask"
    return "read" if operation in _VAULT_READS else "write"


def _cluster_kind(method: str, path: str) -> Kind:
    if method == "GET":
        return "read"
    return "ask" if path.split("?", maxsplit=1)[0].endswith(_CLUSTER_ASKS) else "write"
