"""Names that are possible as templates, and for one cluster are Vault's own or another purpose's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runbook.templates import pattern_of

if TYPE_CHECKING:
    from runbook.names import Cluster

OWN_POLICIES = ("root", "default", "response-wrapping", "control-group")
"""Policies that Vault makes itself. ``default`` is given to everybody who logs in."""


def clashes(target: Cluster) -> Iterator[str]:
    """What would give the cluster's workloads, or the pipeline's token, the rights of somebody else."""
    policies = (target.read_policy, target.cluster_read_policy, *target.more_policies)
    workloads = [name for name in policies if name]
    administrators = [target.write_policy] if target.admin_group else []
    names = [*workloads, *administrators]
    for name in dict.fromkeys(names):
        if name in OWN_POLICIES:
            yield f"the policy {name}, which is Vault's own"
        elif names.count(name) > 1:
            yield f"the policy {name} for two purposes"
    template = target.conventions.policies.administrators
    if administrators:
        for name in workloads:
            if pattern_of(template).fullmatch(name):
                yield f"the policy {name} for workloads, and {template} is what administrators get"
    for shared in target.conventions.shared_folders:
        if target.secrets_path.startswith(shared) or shared.startswith(target.secrets_path):
            yield f"the folder {target.secrets_path}, and rules of the conventions give {shared} to others"
    for other in filter(None, ("token", target.people_mount)):
        if f"{target.mount}/".startswith(f"{other}/") or f"{other}/".startswith(f"{target.mount}/"):
            whose = "Vault's own" if other == "token" else "for people"
            yield f"the mount auth/{target.mount}, and auth/{other} is {whose}: none can be below another"
