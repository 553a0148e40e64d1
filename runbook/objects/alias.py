"""The alias of the administrators' group on the auth mount for people.

It must be bound to the group's own id: bound to nothing, Vault makes a nameless group that owns the alias,
and members log in without a policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.by_hand import OWN_ID, administrators_command
from runbook.changes import Change, Difference, difference, foreign
from runbook.errors import PrerequisiteMissing
from runbook.names import Cluster
from runbook.objects.group import spelling
from runbook.objects.vault_object import NOT_NEEDED, Seen, VaultObject, VaultRule, nothing_to_adopt
from runbook.vault_answers import GroupInVault

_NAMED_BY_VAULT = re.compile(r"^group_[0-9a-f]{8}(\.\w+)?$")
"""``group_f748078c``; OpenBao adds the id of the namespace: ``group_f748078c.root``."""

_ALIAS = "identity/group-alias"


@dataclass(frozen=True, slots=True)
class Alias(VaultObject):
    """The alias that maps the identity provider's group to ours.

    Attributes:
        adopted: leave things as they stand: the group's other alias, or the alias with its other group.
        move: take the alias from the group that somebody made.
    """

    cluster: Cluster
    adopted: bool = False
    move: bool = False

    may_write = (_ALIAS,)

    @property
    def name(self) -> str:
        return f"group-alias/{self.cluster.admin_alias}"

    @property
    def row(self) -> str:
        return f"Alias {self.cluster.admin_alias} is free or ours"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        pins = {"alias_name": (self.cluster.admin_alias,), "alias_mount_accessor": ()}
        why = "which group has the alias; changes nothing"
        return (VaultRule("identity/lookup/group", ("update",), why, pins, asks=True),)

    def unknown(self, seen: Seen) -> str:
        mount = self.cluster.people_mount
        return "" if mount in seen.auth_mounts else f"there is no auth/{mount}/"

    def compare(self, seen: Seen) -> Change:
        """
        Raises:
            PrerequisiteMissing: there is no auth mount for people.
            Conflict: see `compare_with`.
        """
        mount = seen.auth_mounts.get(self.cluster.people_mount)
        if mount is None:
            raise PrerequisiteMissing(
                "Vault",
                f"auth/{self.cluster.people_mount}",
                "is not enabled",
                "The administrators' alias needs this mount. Ask Vault's operators to set it up, then retry.",
            )
        group = seen.group(self.cluster.admin_group)
        # A group with an alias says so itself, whether it is this one or another.
        has_one = group is not None and group.alias is not None
        owner = group if has_one else seen.vault.group_of_alias(self.cluster.admin_alias, mount.accessor)
        return self.compare_with(group, owner, mount.accessor)

    def compare_with(
        self, group: GroupInVault | None, owner: GroupInVault | None, oidc_accessor: str
    ) -> Change:
        """What to do for the alias.

        Args:
            group: the administrators' group, None while it is only planned.
            owner: the group that has an alias of this name on the mount for people now, if any.
            oidc_accessor: accessor of that mount.

        Raises:
            Conflict: the alias belongs to a group that somebody made, or our group has another alias (an
                external group can have one), and no parameter says what to do.
            InvalidInput: it is adopted, and there is neither.
        """
        alias = self.cluster.admin_alias
        wanted = {"name": alias, "mount_accessor": oidc_accessor, "canonical_id": OWN_ID}
        payload = {**wanted, "canonical_id": group.id if group else OWN_ID}
        if group and group.alias:
            there = (group.alias.name.lower(), group.alias.mount_accessor)
            if there != (alias.lower(), oidc_accessor):
                return self._with_another_alias(group)
        if owner is None:
            if self.adopted:
                raise nothing_to_adopt(self.name)
            return Change(self.name, "absent", "create", _ALIAS, payload, difference(None, wanted))
        its_name, its_id = (owner.alias.name, owner.alias.id) if owner.alias else ("", "")
        path = f"{_ALIAS}/id/{its_id}"
        if group and owner.id == group.id:
            notes = [*spelling(its_name, alias), *([NOT_NEEDED] if self.adopted else [])]
            return Change(self.name, "same", "none", path, note="; ".join(notes))
        moved = (
            *(difference({"name": its_name}, {"name": alias})),
            Difference("canonical_id", f"{owner.name} ({owner.id})", OWN_ID),
        )
        if _is_orphan(owner):
            note = f"moved here from {owner.name}, an empty group that Vault made for it"
            return Change(self.name, "different", "update", path, payload, moved, note)
        answer = f"belongs to the group {owner.name!r} ({owner.id}) on the mount {self.cluster.people_mount}/"
        if self.adopted:
            note = f"adopted as it stands: {answer}, whose members get {owner.grants}"
            return Change(self.name, "foreign", "none", path, note=note)
        if self.move:
            note = (
                f"moved by move_alias; members of the identity provider's group lose {owner.name!r}, "
                f"which gives them {owner.grants}"
            )
            return Change(self.name, "foreign", "update", path, payload, moved, note)
        raise foreign(
            self.name,
            answer,
            f"Members of the identity provider's group get {owner.grants} from it now. Start a new run with "
            "move_alias=True to move the alias to our group, or with "
            f"adopt=['{self.name}'] to leave it where it is.",
        )

    def by_hand(self, change: Change) -> str:
        return f"`{administrators_command(change.path, change.payload, self.cluster.admin_group)}`"

    def _with_another_alias(self, group: GroupInVault) -> Change:
        assert group.alias is not None  # noqa: S101 - for the type checker
        path = f"{_ALIAS}/id/{group.alias.id}"
        its, accessor = group.alias.name, group.alias.mount_accessor
        if self.adopted:
            note = f"adopted as it stands: {its!r} on the accessor {accessor}"
            return Change(self.name, "foreign", "none", path, note=note)
        raise foreign(
            self.name,
            f"cannot be created: the group {group.name!r} already has the alias {its!r} on the mount with "
            f"accessor {accessor}, and an external group can have only one alias",
            f"If that alias is not needed, delete it, `vault delete {path}`, and retry; if it is the right "
            f"one, start a new run with adopt=['{self.name}'].",
        )


def write_rules(target: Cluster, accessor: str, group_id: str, *, move: bool) -> tuple[VaultRule, ...]:
    """Rules to write the alias of one environment, for its own group alone.

    Vault checks each parameter by itself. With the groups of two environments in one rule, the alias of the
    one could be given to the group of the other.

    Args:
        target: a cluster of the environment.
        accessor: of the auth mount for people.
        group_id: id of the environment's group.
        move: also where another group has the alias now.
    """
    pins = {"name": (target.admin_alias,), "mount_accessor": (accessor,), "canonical_id": (group_id,)}
    paths = {_ALIAS: "the alias, for this group alone"}
    if move:
        why = "to move an alias to this group. With the id of another alias this takes that from its group"
        paths[f"{_ALIAS}/id/+"] = why
    # All three are required: without an id, Vault makes a nameless group for the alias.
    return tuple(VaultRule(path, ("create", "update"), why, pins, tuple(pins)) for path, why in paths.items())


def _is_orphan(group: GroupInVault) -> bool:
    """Whether Vault itself made it for an alias without a group, so that it is of no use to anybody.

    It has no name of anybody's, no policy, no metadata, and is in no other group.
    """
    unused = not (group.policies or group.metadata or group.parent_group_ids)
    return unused and bool(_NAMED_BY_VAULT.fullmatch(group.name))
