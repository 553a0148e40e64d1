"""Which rights we lack on a cluster, found out with few questions.

A SelfSubjectRulesReview lists the rules that hold for us in a namespace. Kubernetes documents that a rule in
the list grants, and that the list may lack some (those of a webhook): what no rule grants is asked by name,
so that it is always the API server itself that says no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook.cluster_rights import ClusterRight
from runbook.documents import field, mappings_of
from systems.openshift.fields import texts
from systems.openshift.transport import Api, if_allowed

_REVIEWS = "/apis/authorization.k8s.io/v1"
_NOWHERE = "-"
"""No namespace can have this name, so no RoleBinding is in it: the rules that hold there hold everywhere."""


def denied(api: Api, rights: Sequence[ClusterRight], *, scoped: bool) -> tuple[ClusterRight, ...]:
    """Those of ``rights`` that our own credentials do not have, in the order given.

    Args:
        api: the cluster.
        rights: to ask for.
        scoped: see `Login.may_be_scoped`: of scopes the lists know nothing, so each right is asked by name.
    """
    left = list(rights)
    # What holds everywhere comes first: of most namespaces nothing is left to ask then.
    for namespace in [] if scoped else dict.fromkeys(["", *(right.namespace for right in rights)]):
        concerned = {right for right in left if namespace in {"", right.namespace}}
        if concerned:
            rules = _rules(api, namespace)
            granted = {right for right in concerned if any(_grants(rule, right) for rule in rules)}
            left = [right for right in left if right not in granted]
    return tuple(right for right in left if not allowed(api, f"our right to {right}", "selfsubject", right))


def allowed(api: Api, subject: str, of: str, right: ClusterRight, **whose: object) -> bool:
    """The verdict on one right: our own (``of`` is ``selfsubject``), or somebody's (``subject``)."""
    answer = api.ask(
        subject,
        f"{_REVIEWS}/{of}accessreviews",
        body={"spec": {**whose, "resourceAttributes": right.attributes}},
    )
    verdict = field(answer, "status", "allowed")
    if not isinstance(verdict, bool):
        raise api.unexpected(subject, "the answer has no verdict")
    return verdict


def _rules(api: Api, namespace: str) -> list[Mapping[str, Any]]:
    """The rules that hold for us in a namespace, or everywhere, as far as they are told."""
    subject = f"our rights in namespace {namespace}" if namespace else "our rights everywhere"
    question = {"spec": {"namespace": namespace or _NOWHERE}}
    answer = if_allowed(lambda: api.ask(subject, f"{_REVIEWS}/selfsubjectrulesreviews", body=question))
    return mappings_of(answer, "status", "resourceRules")


def _grants(rule: Mapping[str, Any], right: ClusterRight) -> bool:
    """Whether a rule grants a right, as RBAC judges it; ``*`` stands for a whole part, or before a slash."""
    any_with_subresource = {f"*/{right.subresource}"} if right.subresource else set()
    return (
        not {"*", right.verb}.isdisjoint(texts(rule, "verbs"))
        and not {"*", right.group}.isdisjoint(texts(rule, "apiGroups"))
        and not ({"*", right.kind} | any_with_subresource).isdisjoint(texts(rule, "resources"))
        and (not rule.get("resourceNames") or right.name in texts(rule, "resourceNames"))
    )
