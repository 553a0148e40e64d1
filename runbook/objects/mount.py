"""The Kubernetes auth mount of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.changes import Change, difference, foreign
from runbook.names import Cluster
from runbook.objects.vault_object import Seen, VaultObject, VaultRule


@dataclass(frozen=True, slots=True)
class Mount(VaultObject):
    """The cluster's auth method, of type kubernetes."""

    cluster: Cluster

    never_adopted = "cannot be adopted: ServiceAccounts log in only at a mount of type kubernetes"

    @property
    def name(self) -> str:
        return f"auth/{self.cluster.mount}"

    @property
    def row(self) -> str:
        return f"{self.name}/ is free or of type kubernetes"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        why = "to enable the auth method, of this type; sudo because the path is one of root's"
        rights = ("create", "update", "sudo")
        return (VaultRule(f"sys/{self.name}", rights, why, {"type": ("kubernetes",)}),)

    def compare(self, seen: Seen) -> Change:
        path, there = self.cluster.mount, seen.auth_mounts.get(self.cluster.mount)
        in_the_way = (other for other in sorted(seen.auth_mounts) if _is_nested(path, other))
        if there is None and (other := next(in_the_way, "")):
            raise foreign(
                self.name,
                f"cannot be enabled: there is auth/{other}/, and Vault has no mount below another",
                "Choose another auth_mount in the conventions, or ask the owner of that mount to move it.",
            )
        return self.compare_with(there.type if there else None)

    def compare_with(self, current_type: str | None) -> Change:
        """What to do for the mount; ``current_type`` is None where the path is free.

        Raises:
            Conflict: the path carries another type of auth method.
        """
        path = f"sys/{self.name}"
        if current_type is None:
            wanted = {"type": "kubernetes"}
            return Change(self.name, "absent", "create", path, wanted, difference(None, wanted))
        if current_type != "kubernetes":
            raise foreign(
                self.name,
                f"is an auth method of type {current_type!r}",
                "A run does not disable it: that would end every login that uses it. Ask its owner to move "
                "it: the cluster needs this path.",
            )
        return Change(self.name, "same", "none", path)


def _is_nested(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def no_mount_of_ours(cluster: Cluster, seen: Seen) -> str:
    """Why nothing can be asked of what is on the mount: it is of another type; empty if it is not."""
    there = seen.auth_mounts.get(cluster.mount)
    return f"auth/{cluster.mount}/ is of another type" if there and there.type != "kubernetes" else ""
