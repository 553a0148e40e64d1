"""The Kubernetes auth mount of a cluster, its config and its role: what we want, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from runbook.changes import Action, Change, Difference, difference, united
from runbook.errors import Conflict
from runbook.names import Cluster
from runbook.policies import role_policy
from runbook.request import EnableRequest, seconds

REVIEWER_JWT = "token_reviewer_jwt"
_READ_ONLY = {"token_reviewer_jwt_set"}
"""Fields of the config's read that a write does not take."""


def compare_mount(cluster: Cluster, current_type: str | None) -> Change:
    """What to do for the mount; ``current_type`` is None where the path is free.

    Raises:
        Conflict: the path carries another type of auth method.
    """
    subject = f"auth/{cluster.mount}"
    path = f"sys/auth/{cluster.mount}"
    if current_type is None:
        wanted = {"type": "kubernetes"}
        return Change(subject, "create", path, wanted, difference(None, wanted))
    if current_type != "kubernetes":
        raise Conflict(
            "Vault",
            subject,
            f"is an auth method of type {current_type!r}",
            "Disabling it would end every login that uses it, so that is not done here. Find out whose it "
            "is; the cluster needs this path for type kubernetes.",
        )
    return Change(subject, "none", path)


def wanted_config(host: str, ca_pem: str) -> dict[str, Any]:
    """The fields of the config that are ours, without the reviewer's JWT.

    Host and CA are always sent: without ``disable_local_ca_jwt`` a Vault that runs in a cluster itself
    checks the remote API server against its own pod's CA.
    """
    return {"kubernetes_host": host, "kubernetes_ca_cert": ca_pem.strip(), "disable_local_ca_jwt": True}


def compare_config(
    cluster: Cluster, current: Mapping[str, Any] | None, host: str, ca_pem: str, *, login_works: bool
) -> Change:
    """What to do for the config.

    A write replaces the whole: what is not ours is carried over, and the reviewer's JWT, which cannot be
    read, is always part of a write. Whether the JWT that Vault holds still works only a login can tell.

    Args:
        current: the config as read, None while it was never written.
        host: API server as Vault reaches it.
        ca_pem: CA of that API server.
        login_works: whether the starter ServiceAccount can log in now.
    """
    subject = f"auth/{cluster.mount}/config"
    wanted = wanted_config(host, ca_pem)
    there = dict(current or {})
    if "kubernetes_ca_cert" in there:
        there["kubernetes_ca_cert"] = str(there["kubernetes_ca_cert"]).strip()
    differences = difference(there if current is not None else None, wanted)
    if not differences and login_works:
        return Change(subject, "none", subject)
    carried = {key: value for key, value in there.items() if key not in _READ_ONLY}
    # Vault before 1.16 does not say whether it holds a JWT: unknown, not "no".
    holds_jwt = None if current is None else there.get("token_reviewer_jwt_set", "not known")
    differences += (Difference(REVIEWER_JWT, holds_jwt, "the reviewer's token, not shown"),)
    action: Action = "create" if current is None else "update"
    return Change(subject, action, subject, {**carried, **wanted}, differences)


def compare_role(request: EnableRequest, current: Mapping[str, Any] | None) -> Change:
    """What to do for the role. Names and namespaces that others bound stay bound.

    Raises:
        Conflict: the role hands out a policy that is not ours.
    """
    cluster = request.target
    subject = f"auth/{cluster.mount}/role/{cluster.role}"
    there = dict(current or {})
    policy = role_policy(request)
    foreign = sorted(set(there.get("token_policies") or ()) - {policy})
    if foreign:
        raise Conflict(
            "Vault",
            subject,
            f"hands out the policies {', '.join(foreign)}; wanted is {policy} alone",
            "Every ServiceAccount that is bound there has these rights now. Change token_policies by hand if "
            f"that is right: `vault write {subject} token_policies={policy}`, then re-run; "
            "or choose the policy_scope that fits.",
        )
    names = _bound(there.get("bound_service_account_names"), [request.service_account])
    namespaces = _bound(there.get("bound_service_account_namespaces"), request.namespaces)
    wanted = {
        "alias_name_source": "serviceaccount_uid",
        "bound_service_account_names": list(names),
        "bound_service_account_namespaces": list(namespaces),
        "token_policies": [policy],
        "token_ttl": seconds("token_ttl", request.token_ttl),
    }
    differences = difference(there if current is not None else None, wanted)
    if not differences:
        return Change(subject, "none", subject, note=_others(there, request))
    payload = dict(wanted)
    selector = there.get("bound_service_account_namespace_selector")
    if selector:
        # A write without it clears it.
        payload["bound_service_account_namespace_selector"] = selector
    action: Action = "create" if current is None else "update"
    return Change(subject, action, subject, payload, differences, _others(there, request))


def _bound(current: Iterable[str] | None, wanted: Iterable[str]) -> tuple[str, ...]:
    """The union, where a glob that is there covers what it matches: Vault refuses ``*`` beside a name."""
    there = tuple(current or ())
    missing = [name for name in wanted if not any(fnmatchcase(name, pattern) for pattern in there)]
    return united(there, missing)


def _others(there: Mapping[str, Any], request: EnableRequest) -> str:
    others = sorted(
        {*(there.get("bound_service_account_names") or ())} - {request.service_account}
        | {*(there.get("bound_service_account_namespaces") or ())} - {*request.namespaces}
    )
    return f"also bound: {', '.join(others)}; kept" if others else ""
