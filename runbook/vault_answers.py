"""What Vault says of its mounts, groups and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MountInVault:
    """A secrets engine or an auth method. ``path`` has no trailing slash."""

    path: str
    type: str
    accessor: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AliasInVault:
    """A group alias."""

    id: str
    name: str
    mount_accessor: str


@dataclass(frozen=True, slots=True)
class GroupInVault:
    """An identity group.

    Attributes:
        alias: an external group can have one.
        parent_group_ids: groups that it is a member of: its own members have their policies, too.
    """

    id: str
    name: str
    type: str
    policies: tuple[str, ...]
    metadata: Mapping[str, str]
    alias: AliasInVault | None = None
    parent_group_ids: tuple[str, ...] = ()

    @property
    def grants(self) -> str:
        """What its members get, for a person."""
        own = ", ".join(self.policies)
        inherited = f"the policies of the groups {', '.join(self.parent_group_ids)} that it is in"
        return " and ".join(filter(None, (own, inherited if self.parent_group_ids else ""))) or "no policy"
