"""Whether the cluster's role in Vault binds the namespaces that Git gives a SecretStore, and no others."""

from __future__ import annotations

from runbook.bound_names import NAMESPACES as BOUND
from runbook.bound_names import is_bound
from runbook.checks import Check
from runbook.objects import Role, Seen
from runbook.request import ClusterRequest

NAMESPACES = "Git and Vault have the same namespaces"


def bound_namespaces(seen: Seen, request: ClusterRequest, stores: frozenset[str] | None) -> str | Check:
    """The row on namespaces that only one of them has; those of the run get into both.

    Args:
        seen: what is there in Vault.
        request: the run's parameters.
        stores: see `store_namespaces`, of the overlay in Git; None where they are not known.
    """
    target = request.target
    if stores is None:
        return Check(NAMESPACES, "not checked", "the overlay of the cluster was not built")
    (ours,) = request.objects_of(Role)
    if why := ours.unknown(seen):
        return Check(NAMESPACES, "not checked", why)
    role = None if seen.is_only_planned(target.mount) else seen.vault.role(target.mount, target.role)
    if role is None:
        return "there is no role yet"
    bound = list(role.get(BOUND) or ())
    named = request.account_namespaces
    in_git = sorted(one for one in stores.difference(named) if not is_bound(one, bound))
    in_vault = sorted(one for one in {*bound}.difference(stores, named) if "*" not in one)
    if not in_git and not in_vault:
        return ", ".join(sorted(bound))
    found, remedies = [], []
    if in_git:
        found.append(f"only Git has {', '.join(in_git)}, which the role does not bind")
        env = f" and env={target.env}" if target.env else ""
        remedies.append(f"Run enable-namespace for each, with cluster={target.name}{env}.")
    if in_vault:
        found.append(f"only the role has {', '.join(in_vault)}, which may still log in")
        remedies.append("If that is not intended, ask a Vault administrator to remove them from the role.")
    return Check(NAMESPACES, "warning", "; ".join(found), " ".join(remedies))
