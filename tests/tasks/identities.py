"""Groups and aliases of Vault that somebody makes by hand, or that a test looks at."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.vault_answers import GroupInVault
from systems.vault import Vault

OURS = "vault-admins-emea"


def group_of(vault: Vault, name: str = OURS) -> GroupInVault:
    """A group that is there."""
    found = vault.group(name)
    assert found is not None
    return found


def write_alias(admin: Vault, name: str, group: GroupInVault | None = None) -> None:
    """An alias at ``oidc/``; without a group Vault makes one, as the runbook's own command may do."""
    accessor = admin.auth_mounts()["oidc"].accessor
    alias = {"name": name, "mount_accessor": accessor, **({"canonical_id": group.id} if group else {})}
    admin.write("identity/group-alias", alias)


def other_group(
    admin: Vault, name: str, *, alias: str = "", policies: Sequence[str] = ("default",)
) -> GroupInVault:
    """A group of somebody's on the OIDC mount, with an alias if one is named."""
    admin.write(f"identity/group/name/{name}", {"type": "external", "policies": policies})
    group = group_of(admin, name)
    if alias:
        write_alias(admin, alias, group)
    return group


def owner(vault: Vault, alias: str = OURS) -> str:
    """The name of the group that has an alias, empty for none."""
    group = vault.group_of_alias(alias, vault.auth_mounts()["oidc"].accessor)
    return group.name if group else ""
