"""The administrators' identity group and its alias on the OIDC mount.

Members come from the identity provider: whoever's ``groups`` claim names the alias is in the group for the
length of a login. The alias must be bound to the group's own id: bound to nothing, Vault makes a nameless
group that owns the alias, and members log in without a policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.adoption import NOT_NEEDED, nothing_to_adopt
from runbook.changes import Change, Difference, difference, foreign, united
from runbook.names import OIDC_MOUNT, Cluster

OWN_ID = "the group's own id"
"""Stands in a plan for the id of the administrators' group, which may not be there yet."""

_NAMED_BY_VAULT = re.compile(r"^group_[0-9a-f]{8}(\.\w+)?$")
"""``group_f748078c``; OpenBao adds the id of the namespace: ``group_f748078c.root``."""


@dataclass(frozen=True, slots=True)
class CurrentGroup:
    """What the comparison has to know of a group in Vault.

    Attributes:
        alias_id: id of the alias that the group owns, empty if it owns none.
        alias_name: name of that alias.
        alias_accessor: accessor of the mount that the alias lives on.
        parent_group_ids: groups that it is a member of: its own members have their policies, too.
    """

    id: str
    name: str
    type: str
    policies: tuple[str, ...]
    metadata: Mapping[str, str]
    alias_id: str = ""
    alias_name: str = ""
    alias_accessor: str = ""
    parent_group_ids: tuple[str, ...] = ()

    @property
    def is_orphan(self) -> bool:
        """Made by Vault itself for an alias without a group, and of no use to anybody.

        It has no name of anybody's, no policy, no metadata, and is in no other group.
        """
        unused = not (self.policies or self.metadata or self.parent_group_ids)
        return unused and bool(_NAMED_BY_VAULT.fullmatch(self.name))

    @property
    def grants(self) -> str:
        """What its members get, for a person."""
        own = ", ".join(self.policies)
        inherited = f"the policies of the groups {', '.join(self.parent_group_ids)} that it is in"
        return " and ".join(filter(None, (own, inherited if self.parent_group_ids else ""))) or "no policy"


def wanted_metadata(cluster: Cluster) -> dict[str, str]:
    """Metadata of the group, as the runbook has it."""
    return {"responsibility": f"Vault {cluster.env} Admin"}


def compare_group(cluster: Cluster, current: CurrentGroup | None) -> Change:
    """What to do for the group. Policies and metadata of others stay.

    Raises:
        Conflict: the group is internal; its type cannot be changed.
    """
    subject = f"group/{cluster.admin_group}"
    path = f"identity/group/name/{cluster.admin_group}"
    if current is None:
        wanted = {
            "type": "external",
            "policies": [cluster.write_policy],
            "metadata": wanted_metadata(cluster),
        }
        return Change(subject, "absent", "create", path, wanted, difference(None, wanted))
    if current.type != "external":
        raise foreign(
            subject,
            f"is there with type {current.type!r}; a group's type cannot be changed",
            "Its members are kept in Vault by hand. Rename it, or move them to the identity provider's group "
            f"and delete it: `vault delete identity/group/name/{cluster.admin_group}`. Then re-run.",
        )
    policies = united(current.policies, [cluster.write_policy])
    metadata = {**wanted_metadata(cluster), **current.metadata}
    payload = {"policies": list(policies), "metadata": metadata}
    differences = difference({"policies": current.policies, "metadata": dict(current.metadata)}, payload)
    others = sorted(set(current.policies) - {cluster.write_policy})
    note = f"also carries {', '.join(others)}; kept" if others else ""
    if differences:
        changed = {part.field: part.after for part in differences}
        return Change(subject, "different", "update", path, changed, differences, note)
    more = others or dict(current.metadata) != wanted_metadata(cluster)
    return Change(subject, "same or more" if more else "same", "none", path, note=note)


def compare_alias(
    cluster: Cluster,
    group: CurrentGroup | None,
    owner: CurrentGroup | None,
    oidc_accessor: str,
    *,
    adopted: bool = False,
    move: bool = False,
) -> Change:
    """What to do for the alias.

    Args:
        cluster: whose environment's alias it is.
        group: the administrators' group, None while it is only planned.
        owner: the group that has an alias of this name on the OIDC mount now, if any.
        oidc_accessor: accessor of the OIDC mount.
        adopted: leave things as they stand: the group's other alias, or the alias with its other group.
        move: take the alias from the group that somebody made.

    Raises:
        Conflict: the alias belongs to a group that somebody made, or our group has another alias (an
            external group can have one), and no parameter says what to do.
        InvalidInput: it is adopted, and there is neither.
    """
    name = cluster.admin_group
    subject = f"group-alias/{name}"
    wanted = {"name": name, "mount_accessor": oidc_accessor, "canonical_id": OWN_ID}
    payload = {**wanted, "canonical_id": group.id if group else OWN_ID}
    if group and group.alias_id and (group.alias_name, group.alias_accessor) != (name, oidc_accessor):
        return _with_another_alias(subject, group, adopted=adopted)
    if owner is None:
        if adopted:
            raise nothing_to_adopt(subject)
        return Change(subject, "absent", "create", "identity/group-alias", payload, difference(None, wanted))
    path = f"identity/group-alias/id/{owner.alias_id}"
    if group and owner.id == group.id:
        return Change(subject, "same", "none", path, note=NOT_NEEDED if adopted else "")
    moved = (Difference("canonical_id", f"{owner.name} ({owner.id})", OWN_ID),)
    if owner.is_orphan:
        note = f"moved here from {owner.name}, an empty group that Vault made for it"
        return Change(subject, "different", "update", path, payload, moved, note)
    answer = f"belongs to the group {owner.name!r} ({owner.id}) on the mount {OIDC_MOUNT}/"
    if adopted:
        note = f"adopted as it stands: {answer}, whose members get {owner.grants}"
        return Change(subject, "foreign", "none", path, note=note)
    if move:
        note = (
            f"moved by move_alias; members of the identity provider's group lose {owner.name!r}, "
            f"which gives them {owner.grants}"
        )
        return Change(subject, "foreign", "update", path, payload, moved, note)
    raise foreign(
        subject,
        answer,
        f"Members of the identity provider's group get {owner.grants} from it now. Decide which group is "
        "right: move_alias=True moves the alias to ours, "
        f"adopt=['{subject}'] leaves it where it is. Then re-run.",
    )


def _with_another_alias(subject: str, group: CurrentGroup, *, adopted: bool) -> Change:
    answer = (
        f"cannot be made: the group {group.name!r} already has the alias {group.alias_name!r} on the mount "
        f"with accessor {group.alias_accessor}, and an external group can have one alias only"
    )
    if adopted:
        path = f"identity/group-alias/id/{group.alias_id}"
        note = f"adopted as it stands: {group.alias_name!r} on the accessor {group.alias_accessor}"
        return Change(subject, "foreign", "none", path, note=note)
    raise foreign(
        subject,
        answer,
        f"If that alias is not needed: `vault delete identity/group-alias/id/{group.alias_id}`; if it is the "
        f"right one, leave it with adopt=['{subject}']. Then re-run.",
    )
