"""Requests that a run makes, counted at the systems themselves: Vault's audit log, the stand-ins' lists.

A write is a request that changes Vault, cluster or Git. An ask has a verb of writing and changes nothing that
stays: logging in and out, TokenRequest, TokenReview, access reviews, lookups by POST.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from tests.world import World

Kind = Literal["read", "ask", "write"]
KINDS: tuple[Kind, Kind, Kind] = ("read", "ask", "write")

_VAULT_READS = {"read", "list", "help"}
_VAULT_ASKS = ("/login", "auth/token/revoke-self", "sys/capabilities-self", "identity/lookup/group")
_CLUSTER_ASKS = ("/token", "/tokenreviews", "/selfsubjectaccessreviews", "/subjectaccessreviews")


class Traffic:
    """Counts what the systems are asked while it is switched on, also in several parts.

    The GitOps agent and the reviewer use the same stand-ins: switch it off while they are at work.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.counts: dict[str, Counter[Kind]] = {
            name: Counter() for name in ("Vault", "cluster", "GitHub's API", "Git")
        }
        self.writes: list[str] = []
        self.start()

    def start(self) -> None:
        """Count from here."""
        self._audit = self._world.vault.audit_position()
        self._cluster = len(self._world.kubernetes.requests)
        self._github = len(self._world.github.requests)

    def stop(self) -> None:
        """Count up to here."""
        for system, kind, words in self._requests():
            self.counts[system][kind] += 1
            if kind == "write":
                self.writes.append(f"{system}: {words}")

    def total(self, kind: Kind) -> int:
        """Requests of a kind, of all systems."""
        return sum(counter[kind] for counter in self.counts.values())

    def _requests(self) -> Iterator[tuple[str, Kind, str]]:
        for entry in self._world.vault.audit_entries(self._audit):
            if entry["type"] == "request":
                operation, path = entry["request"]["operation"], entry["request"]["path"]
                yield "Vault", _vault_kind(operation, path), f"{operation} {path}"
        for method, path, *_ in self._world.kubernetes.requests[self._cluster :]:
            yield "cluster", _cluster_kind(method, path), f"{method} {path}"
        for one in self._world.github.requests[self._github :]:
            git = ".git/" in one.path
            # A fetch is a POST; a push is announced by a GET and sent by a POST to git-receive-pack.
            reads = one.method == "GET" or one.path.endswith("/git-upload-pack")
            yield "Git" if git else "GitHub's API", "read" if reads else "write", f"{one.method} {one.path}"


def _vault_kind(operation: str, path: str) -> Kind:
    if path.endswith(_VAULT_ASKS):
        return "ask"
    return "read" if operation in _VAULT_READS else "write"


def _cluster_kind(method: str, path: str) -> Kind:
    if method == "GET":
        return "read"
    return "ask" if path.endswith(_CLUSTER_ASKS) else "write"
