"""Step: the administrators' identity group and its alias on the OIDC mount."""

from __future__ import annotations

from typing import Any

from runbook.changes import Change
from runbook.errors import PrerequisiteMissing
from runbook.groups import CurrentGroup, compare_alias, compare_group
from runbook.names import OIDC_MOUNT
from runbook.request import EnableRequest
from systems.vault import Group, Vault
from tasks import connect
from tasks.mandate import UNBOUND, Mandate, mandate
from tasks.step import log_changes, outcome, realize, write_once


def group_changes(vault: Vault, request: EnableRequest) -> list[Change]:
    """What differs for the group itself.

    Raises:
        Conflict: an internal group has the name.
    """
    target = request.target
    return [compare_group(target, _current(vault.group(target.admin_group)))]


def alias_changes(vault: Vault, request: EnableRequest) -> list[Change]:
    """What differs for the group's alias.

    Raises:
        Conflict: the alias belongs to a group that somebody made, or ours has another one, and no parameter
            says what to do.
        PrerequisiteMissing: there is no OIDC mount.
    """
    target = request.target
    accessor = _oidc_accessor(vault)
    group = _current(vault.group(target.admin_group))
    owner = _current(vault.group_of_alias(target.admin_group, accessor))
    adopted = f"group-alias/{target.admin_group}" in request.adopt
    return [compare_alias(target, group, owner, accessor, adopted=adopted, move=request.move_alias)]


def realize_group(vault: Vault, request: EnableRequest, given: Mandate = UNBOUND) -> list[Change]:
    """Write the group, then its alias, which needs the group's id; read both back."""
    return [
        *realize(vault, lambda: group_changes(vault, request), given),
        *realize(vault, lambda: alias_changes(vault, request), given),
    ]


@write_once("write group and alias")
def write_group(request: EnableRequest, approved: dict[str, Any] | None) -> dict[str, Any]:
    """Write the group ``vault-admins-<env>`` and the alias that maps the identity provider's group to it."""
    with connect.vault(request) as vault, mandate(request, approved, vault) as given:
        changes = realize_group(vault, request, given)
    log_changes(changes)
    return outcome(changes)


def _oidc_accessor(vault: Vault) -> str:
    mount = vault.auth_mounts().get(OIDC_MOUNT)
    if mount is None:
        raise PrerequisiteMissing(
            "Vault",
            f"auth/{OIDC_MOUNT}",
            "is not enabled",
            "The administrators' alias lives on this mount. Ask Vault's operators to set it up, then re-run.",
        )
    return mount.accessor


def _current(group: Group | None) -> CurrentGroup | None:
    if group is None:
        return None
    return CurrentGroup(
        id=group.id,
        name=group.name,
        type=group.type,
        policies=group.policies,
        metadata=group.metadata,
        alias_id=group.alias.id if group.alias else "",
        alias_name=group.alias.name if group.alias else "",
        alias_accessor=group.alias.mount_accessor if group.alias else "",
        parent_group_ids=group.parent_group_ids,
    )
