"""The reviewer in the builds: its objects, and whether what it is bound to lets it create TokenReviews."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runbook.conventions import Operator
from runbook.documents import field, items_of, mappings_of
from runbook.gitops.built import Built, key_of
from runbook.gitops.tree import Manifest, name_of
from runbook.names import AUTH_DELEGATOR

_WANTED = {"verbs": "create", "apiGroups": "authentication.k8s.io", "resources": "tokenreviews"}


def of_operator(built: Iterable[Built], kind: str, name: str, namespace: str) -> list[Manifest]:
    """The objects of that name for the operator's namespace, or for that of the Application."""
    return [
        item
        for one in built
        for item in one.objects(kind)
        if name_of(item) == name and key_of(item).namespace in {"", namespace}
    ]


def roles_of_reviewer(built: Iterable[Built], operator: Operator) -> list[str]:
    """The ClusterRoles that it has cluster-wide."""
    bindings = (item for one in built for item in one.objects("ClusterRoleBinding"))
    ours = (binding for binding in bindings if _binds_reviewer(binding, operator))
    return sorted({str(field(binding, "roleRef", "name")) for binding in ours})


def _binds_reviewer(binding: Manifest, operator: Operator) -> bool:
    ours = ("ServiceAccount", operator.reviewer, operator.namespace)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{operator.namespace}")
    return any(
        (subject.get("kind"), subject.get("name"), subject.get("namespace")) == ours
        or (subject.get("kind") == "Group" and subject.get("name") in groups)  # a name may be a list
        for subject in mappings_of(binding, "subjects")
    )


def may_review(name: str, built: Iterable[Built]) -> bool | None:
    """Whether the ClusterRole of a name may; None where that is not known.

    Args:
        name: of the ClusterRole.
        built: where it may come from. What is in none of them may be on the cluster all the same.
    """
    if name == AUTH_DELEGATOR:
        return True
    roles = [item for one in built for item in one.objects("ClusterRole") if name_of(item) == name]
    if any(_grants(rule) for role in roles for rule in items_of(field(role, "rules"))):
        return True
    # The rules of an aggregated role are the cluster's doing.
    is_told = roles and not any(field(role, "aggregationRule") for role in roles)
    return False if is_told else None


def _grants(rule: Any) -> bool:
    # A TokenReview has no name when it is created, so a rule for names is for none.
    return not field(rule, "resourceNames") and all(
        {"*", wanted} & set(map(str, items_of(field(rule, key)))) for key, wanted in _WANTED.items()
    )
