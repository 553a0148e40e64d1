"""The rights that a run needs in Vault and on the cluster, so that preflight can ask for them."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.names import (
    ESO_NAMESPACE,
    REVIEWER_SERVICE_ACCOUNT,
    REVIEWER_TOKEN_SECRET,
)
from runbook.policies import wanted_policies
from runbook.request import EnableRequest

_WRITE = frozenset({"read", "create", "update"})


def vault_rights(request: EnableRequest) -> dict[str, frozenset[str]]:
    """Capabilities by path that the pipeline's token needs in Vault."""
    target = request.target
    return {
        "sys/mounts": frozenset({"read"}),
        "sys/auth": frozenset({"read"}),
        **{f"sys/policies/acl/{policy.name}": _WRITE for policy in wanted_policies(request)},
        f"identity/group/name/{target.admin_group}": _WRITE,
        "identity/lookup/group": frozenset({"update"}),
        "identity/group-alias": frozenset({"create", "update"}),
        f"sys/auth/{target.mount}": frozenset({"create", "update", "sudo"}),
        f"auth/{target.mount}/config": _WRITE,
        f"auth/{target.mount}/role/{target.role}": _WRITE,
    }


@dataclass(frozen=True, slots=True)
class ClusterRight:
    """One thing that a run does on the cluster, in the terms of an access review."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def cluster_rights(request: EnableRequest) -> tuple[ClusterRight, ...]:
    """What the pipeline's account does on the cluster. It changes nothing there but asks for tokens."""
    if request.reviewer_token == "secret":  # noqa: S105 - a mode, not a token
        reviewer = ClusterRight("get", "secrets", "", ESO_NAMESPACE, REVIEWER_TOKEN_SECRET)
    else:
        reviewer = ClusterRight(
            "create", "serviceaccounts", "", ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, subresource="token"
        )
    return (
        ClusterRight("get", "namespaces", name=ESO_NAMESPACE),
        ClusterRight("get", "serviceaccounts", "", ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT),
        reviewer,
        ClusterRight("create", "subjectaccessreviews", "authorization.k8s.io"),
        ClusterRight(
            "get",
            "customresourcedefinitions",
            "apiextensions.k8s.io",
            name="secretstores.external-secrets.io",
        ),
        *(
            right
            for namespace in request.namespaces
            for right in (
                ClusterRight("get", "namespaces", name=namespace),
                ClusterRight("get", "serviceaccounts", "", namespace, request.service_account),
                ClusterRight(
                    "create", "serviceaccounts", "", namespace, request.service_account, subresource="token"
                ),
                ClusterRight("get", "secretstores", "external-secrets.io", namespace),
            )
        ),
    )
