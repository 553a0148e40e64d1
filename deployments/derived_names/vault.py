"""What is in Vault under the names of a cluster."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial

from deployments.derived_names.rows import BEFORE, DerivedName, Finding
from runbook.bound_names import NAMESPACES
from runbook.changes import Change
from runbook.objects import Alias, Config, Group, Mount, Policy, Role, Seen, VaultObject
from runbook.request import EnableRequest
from runbook.vault_answers import MountInVault
from systems.vault import Vault

_WHAT: dict[type[VaultObject], str] = {
    Group: "administrators' group",
    Alias: "its alias on the mount for people",
    Mount: "auth mount of the cluster",
    Config: "its config",
    Role: "its role",
}


class VaultLook(Seen):
    """One look at Vault, at its secrets engines too."""

    vault: Vault

    @cached_property
    def engines(self) -> dict[str, MountInVault]:
        """The secrets engines by path."""
        return self.vault.secret_mounts()


def names_in_vault(request: EnableRequest) -> list[DerivedName[VaultLook]]:
    """All names of a run in Vault, its objects in the order in which they are written."""
    target = request.target
    secrets, people = target.secrets_mount, target.people_mount
    folders = {
        "secrets of the cluster": target.secrets_path,
        "secrets of the environment": target.environment_path,
    }
    policies = {
        target.read_policy: "policy of the workloads",
        target.write_policy: "policy of the administrators",
        target.cluster_read_policy: "policy of this cluster's workloads",
    }
    # Of both scopes: which one a run has, only the run says.
    objects = request.model_copy(update={"policy_scope": "cluster"}).objects
    names = [DerivedName("KV mount", f"{secrets}/", partial(_engine, secrets))]
    names += [
        DerivedName(what, f"{secrets}/{folder}", partial(_folder, secrets, folder))
        for what, folder in folders.items()
        if folder
    ]
    if people:
        names.append(DerivedName("auth mount for people", f"auth/{people}", partial(_login, people)))
    for one in objects:
        what = policies[one.policy] if isinstance(one, Policy) else _WHAT[type(one)]
        names.append(DerivedName(what, one.name, partial(_object, one, request)))
    return names


def _engine(path: str, look: VaultLook) -> Finding:
    there = look.engines.get(path)
    if there is None:
        return Finding("absent", BEFORE)
    version = there.options.get("version") or "1"
    if there.type == "kv":
        return Finding("ours" if version == "2" else "ours, differs", f"is version {version} of kv")
    return Finding("somebody else's", f"is of type {there.type}")


def _folder(mount: str, folder: str, look: VaultLook) -> Finding:
    if mount not in look.engines:
        return Finding("absent")
    if (kind := _engine(mount, look)).state != "ours":
        return Finding("not checked", f"{mount}/ {kind.remark}")
    # How many, not which: names of secrets are nobody's business here.
    entries = len(look.vault.secret_names(mount, folder))
    return Finding("ours", f"entries: {entries}") if entries else Finding("absent")


def _login(mount: str, look: VaultLook) -> Finding:
    there = look.auth_mounts.get(mount)
    if there is None:
        return Finding("absent", BEFORE)
    if there.type in {"oidc", "jwt"}:
        return Finding("ours", f"type {there.type}")
    return Finding("ours, differs", f"is of type {there.type}: check that it passes groups by name")


def _object(one: VaultObject, request: EnableRequest, look: VaultLook) -> Finding:
    if why := one.unknown(look):
        return Finding("not checked", why)
    if isinstance(one, Role):
        return _role(one, request, look)
    found = _of_change(one.compare(look))
    if isinstance(one, Mount) and found.state == "ours":
        return Finding("ours", "of type kubernetes; whose cluster it leads to, its config tells")
    of_cluster = isinstance(one, Policy) and one.policy == request.target.cluster_read_policy
    if of_cluster and request.policy_scope != "cluster":
        return Finding(found.state, found.remark or "only for runs with policy_scope=cluster")
    return found


def _role(one: Role, request: EnableRequest, look: VaultLook) -> Finding:
    """Of the scope that it was written with, and for the namespaces that it binds where none is named."""
    target = request.target
    there = None if look.is_only_planned(target.mount) else look.vault.role(target.mount, target.role)
    bound = tuple((there or {}).get(NAMESPACES) or ())
    handed_out = (there or {}).get("token_policies") or ()
    known = (one for one in (target.cluster_read_policy, target.read_policy) if one in handed_out)
    policies = (next(known, request.role_policy), *target.more_policies)
    wanted = replace(one, namespaces=request.namespaces or bound, policies=policies)
    found = _of_change(wanted.compare_with(there))
    binds = f"binds the namespaces {', '.join(bound)}" if bound else ""
    return Finding(found.state, found.remark or binds)


def _of_change(change: Change) -> Finding:
    if change.found == "different":
        fields = ", ".join(part.field for part in change.differences)
        return Finding("ours, differs", "; ".join(filter(None, (f"in {fields}", change.note))))
    if change.found == "foreign":
        return Finding("somebody else's", change.note)
    return Finding("absent" if change.found == "absent" else "ours", change.note)
