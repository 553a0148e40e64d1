"""The administrators' identity group.

Members come from the identity provider: whoever's ``groups`` claim names the group's alias is in the group
for the length of a login.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.changes import Change, difference, foreign, united
from runbook.names import Cluster
from runbook.objects.vault_object import Seen, VaultObject, VaultRule
from runbook.vault_answers import GroupInVault


@dataclass(frozen=True, slots=True)
class Group(VaultObject):
    """The administrators' group of an environment.

    A Vault administrator makes it: its id is pinned in the printed policy.
    """

    cluster: Cluster

    never_adopted = "cannot be adopted: an internal group can have no alias, and so no members from the login"

    @property
    def name(self) -> str:
        return f"group/{self.cluster.admin_group}"

    @property
    def row(self) -> str:
        return f"Group {self.cluster.admin_group} is free or ours"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        path = f"identity/group/name/{self.cluster.admin_group}"
        return (VaultRule(path, ("read",), "the administrators' group, which an administrator makes"),)

    def compare(self, seen: Seen) -> Change:
        return self.compare_with(seen.group(self.cluster.admin_group))

    def compare_with(self, current: GroupInVault | None) -> Change:
        """What to do for the group. Policies and metadata of others stay.

        Raises:
            Conflict: the group is internal; its type cannot be changed.
        """
        cluster = self.cluster
        wanted_metadata = {"responsibility": " ".join(filter(None, ("Vault", cluster.env, "Admin")))}
        # Vault tells names apart without regard to case. Written under another spelling, a group is renamed.
        path = f"identity/group/name/{current.name if current else cluster.admin_group}"
        if current is None:
            wanted = {"type": "external", "policies": [cluster.write_policy], "metadata": wanted_metadata}
            return Change(self.name, "absent", "create", path, wanted, difference(None, wanted))
        if current.type != "external":
            raise foreign(
                self.name,
                f"is of type {current.type!r}, and a group's type cannot be changed",
                "Its members are maintained in Vault by hand. Rename it, or move them to the identity "
                f"provider's group and delete it, `vault delete {path}`; then retry.",
            )
        policies = united(current.policies, [cluster.write_policy])
        payload = {"policies": list(policies), "metadata": {**wanted_metadata, **current.metadata}}
        differences = difference({"policies": current.policies, "metadata": dict(current.metadata)}, payload)
        others = sorted(set(current.policies) - {cluster.write_policy})
        notes = [f"also carries {', '.join(others)}; kept"] if others else []
        note = "; ".join([*spelling(current.name, cluster.admin_group), *notes])
        if differences:
            changed = {part.field: part.after for part in differences}
            return Change(self.name, "different", "update", path, changed, differences, note)
        more = others or dict(current.metadata) != wanted_metadata
        return Change(self.name, "same or more" if more else "same", "none", path, note=note)


def spelling(there: str, ours: str) -> list[str]:
    """The note on a name that is spelled otherwise; none if it is not."""
    return [] if there == ours else [f"is spelled {there!r}, which is the same name to Vault; kept"]
