"""The Kubernetes auth mount of a cluster, its config and its role: what we want, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook.adoption import NOT_NEEDED, nothing_to_adopt
from runbook.bound_names import is_bound
from runbook.changes import Change, Difference, Found, difference, foreign, united
from runbook.names import Cluster
from runbook.policies import role_policy
from runbook.request import EnableRequest, seconds

REVIEWER_JWT = "token_reviewer_jwt"
_JWT_BEFORE: Mapping[Any, str | None] = {True: "the token that Vault holds, not shown", False: None}
"""Of ``token_reviewer_jwt_set``, which Vault before 1.16 does not tell."""

_READ_ONLY = {"token_reviewer_jwt_set"}
"""Fields of the config's read that a write does not take."""

_DEFAULTS = {"disable_iss_validation": True}
"""What nobody has set; all other fields of the config are empty or false by default."""


def compare_mount(cluster: Cluster, current_type: str | None) -> Change:
    """What to do for the mount; ``current_type`` is None where the path is free.

    Raises:
        Conflict: the path carries another type of auth method.
    """
    subject = f"auth/{cluster.mount}"
    path = f"sys/auth/{cluster.mount}"
    if current_type is None:
        wanted = {"type": "kubernetes"}
        return Change(subject, "absent", "create", path, wanted, difference(None, wanted))
    if current_type != "kubernetes":
        raise foreign(
            subject,
            f"is an auth method of type {current_type!r}",
            "Disabling it would end every login that uses it, so that is not done here. Find out whose it "
            "is; the cluster needs this path for type kubernetes.",
        )
    return Change(subject, "same", "none", path)


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
    read, is always part of a write. Whether the JWT that Vault holds still works only a login can tell, and
    only when the step comes: it is conditional in a plan.

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
    others = sorted(
        key for key, value in there.items() if key not in {*wanted, *_READ_ONLY} and not _is_unset(key, value)
    )
    note = f"also set: {', '.join(others)}; kept" if others else ""
    holds_jwt = there.get("token_reviewer_jwt_set")
    if not differences and login_works and holds_jwt is not False:
        found: Found = "same or more" if others else "same"
        return Change(subject, found, "none", subject, note=note, conditional=(REVIEWER_JWT,))
    carried = {key: value for key, value in there.items() if key not in _READ_ONLY}
    before = None if current is None else _JWT_BEFORE.get(holds_jwt, "not known")
    differences += (Difference(REVIEWER_JWT, before, "the reviewer's token, not shown"),)
    payload = {**carried, **wanted}
    if current is None:
        return Change(subject, "absent", "create", subject, payload, differences, "", (REVIEWER_JWT,))
    return Change(subject, "different", "update", subject, payload, differences, note, (REVIEWER_JWT,))


def replaced_since(written: Mapping[str, Any], current: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Fields of the config that are not as they were written a moment ago; none if all are.

    A write replaces the whole. So if any field is another one, whosever it is, somebody has written the
    config since, and with it whatever they had for the reviewer's JWT, which cannot be read.

    Args:
        written: the whole payload.
        current: the config as read.
    """
    there = dict(current or {})
    fields = {*written, *there} - {*_READ_ONLY, REVIEWER_JWT}
    other = [
        name
        for name in sorted(fields)
        if not (name not in written and _is_unset(name, there[name]))
        and _trimmed(there.get(name)) != _trimmed(written.get(name))
    ]
    if there.get("token_reviewer_jwt_set") is False:
        other.append(REVIEWER_JWT)
    return tuple(other)


def _is_unset(field: str, value: Any) -> bool:
    return value == _DEFAULTS[field] if field in _DEFAULTS else value in (None, "", [], False)


def _trimmed(value: Any) -> Any:
    # Vault keeps the CA's last line end, which is not always sent.
    return value.strip() if isinstance(value, str) else value


def compare_role(request: EnableRequest, current: Mapping[str, Any] | None) -> Change:
    """What to do for the role. Names and namespaces that others bound stay bound.

    ``token_policies`` is not a list that several people share: whatever else stands in it is given to every
    ServiceAccount that is bound, ours too.

    Raises:
        Conflict: the role hands out a policy that is not ours, and is not adopted.
        InvalidInput: it is adopted, and is not there.
    """
    cluster = request.target
    subject = f"auth/{cluster.mount}/role/{cluster.role}"
    adopted = subject in request.adopt
    if current is None and adopted:
        raise nothing_to_adopt(subject)
    there = dict(current or {})
    wanted = {
        "alias_name_source": "serviceaccount_uid",
        "bound_service_account_names": list(
            _bound(there.get("bound_service_account_names"), [request.service_account])
        ),
        "bound_service_account_namespaces": list(
            _bound(there.get("bound_service_account_namespaces"), request.namespaces)
        ),
        "token_policies": [role_policy(request)],
        "token_ttl": seconds("token_ttl", request.token_ttl),
    }
    notes = [_others(there, request)]
    theirs = sorted(set(there.get("token_policies") or ()) - {role_policy(request)})
    if theirs:
        notes.append(_adopted_policies(request, subject, theirs, there))
        # Left out of a write, the list stays as it is.
        del wanted["token_policies"]
    elif adopted:
        notes.append(NOT_NEEDED)
    note = "; ".join(filter(None, notes))
    differences = difference(there if current is not None else None, wanted)
    found: Found
    if not differences:
        found = "foreign" if theirs else "same or more" if _others(there, request) else "same"
        return Change(subject, found, "none", subject, note=note)
    payload = dict(wanted)
    selector = there.get("bound_service_account_namespace_selector")
    if selector:
        # A write without it clears it.
        payload["bound_service_account_namespace_selector"] = selector
    if current is None:
        return Change(subject, "absent", "create", subject, payload, differences, note)
    return Change(
        subject, "foreign" if theirs else "different", "update", subject, payload, differences, note
    )


def _adopted_policies(
    request: EnableRequest, subject: str, theirs: list[str], there: Mapping[str, Any]
) -> str:
    """The note on a role that hands out more than our policy, where that is adopted.

    Raises:
        Conflict: it is not adopted, or hands out everything but our policy.
    """
    policy = role_policy(request)
    answer = f"hands out the policies {', '.join(theirs)}; wanted is {policy} alone"
    by_hand = f"Change token_policies by hand: `vault write {subject} token_policies={policy}`, then re-run"
    if policy not in (there.get("token_policies") or ()):
        raise foreign(
            subject,
            f"{answer}, which it does not hand out at all",
            f"{by_hand}; or choose the policy_scope that fits. Adopted as it stands, no workload could read "
            "its secrets.",
        )
    if subject not in request.adopt:
        raise foreign(
            subject,
            answer,
            f"Every ServiceAccount that is bound there has these rights now. {by_hand}; or choose the "
            f"policy_scope that fits; or take them as they stand with adopt=['{subject}'].",
        )
    return f"token_policies adopted as they stand: {answer}"


def _bound(current: Iterable[str] | None, wanted: Iterable[str]) -> tuple[str, ...]:
    """The union, where a glob that is there covers what it matches: Vault refuses ``*`` beside a name."""
    there = tuple(current or ())
    missing = [name for name in wanted if not is_bound(name, there)]
    return united(there, missing)


def _others(there: Mapping[str, Any], request: EnableRequest) -> str:
    others = sorted(
        {*(there.get("bound_service_account_names") or ())} - {request.service_account}
        | {*(there.get("bound_service_account_namespaces") or ())} - {*request.namespaces}
    )
    return f"also bound: {', '.join(others)}; kept" if others else ""
