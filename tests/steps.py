"""The steps that write to Vault, without a run: what differs now, and bringing it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.unbound import unbound
from change.permission import Permission
from change.step import realize
from runbook.changes import Change
from runbook.hosts import ApiServer
from runbook.objects import Alias, Group, Mount, Policy, Role, Seen, VaultObject
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks import auth_config

Compute = Callable[[Vault, EnableRequest], list[Change]]
Realize = Callable[[Vault, EnableRequest], list[Change]]


def _changes(kind: type[VaultObject]) -> Compute:
    return lambda vault, wanted: [one.compare(Seen(vault)) for one in wanted.objects_of(kind)]


policy_changes, group_changes, alias_changes = _changes(Policy), _changes(Group), _changes(Alias)
mount_changes, role_changes = _changes(Mount), _changes(Role)


def _realize(*kinds: type[VaultObject]) -> Callable[..., list[Change]]:
    def bring(vault: Vault, wanted: EnableRequest, given: Permission | None = None) -> list[Change]:
        given, seen = given or unbound(), Seen(vault)
        return [change for kind in kinds for change in realize(vault, wanted.objects_of(kind), given, seen)]

    return bring


realize_policies, realize_group = _realize(Policy), _realize(Group, Alias)
realize_mount, realize_role = _realize(Mount), _realize(Role)


def realize_config(
    vault: Vault,
    openshift: OpenShift,
    wanted: EnableRequest,
    api: ApiServer,
    given: Permission | None = None,
    keep: Callable[[Mapping[str, str]], None] = lambda _record: None,
    recorded: Callable[[], bool] = lambda: True,
) -> tuple[Change, Any]:
    """As the step does, for a cluster that our record knows."""
    return auth_config.realize_config(vault, openshift, wanted, api, given or unbound(), keep, recorded)
