"""The rights that a run needs on the cluster. It changes nothing there but asks for tokens.

One list serves two: preflight asks for these rights, and ``python -m deployments.openshift.account`` prints
them as Roles and a ClusterRole of the pipeline's account.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.names import (
    ESO_NAMESPACE,
    REVIEWER_SERVICE_ACCOUNT,
    REVIEWER_TOKEN_SECRET,
    SECRET_STORE,
)
from runbook.request import EnableRequest


@dataclass(frozen=True, slots=True)
class ClusterRight:
    """One thing that a run does on the cluster, in the terms of an access review.

    Attributes:
        without: what a run does not know or prove without it; empty where it cannot do without.
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    without: str = ""


def cluster_rights(request: EnableRequest) -> tuple[ClusterRight, ...]:
    """What a run cannot do without."""
    if request.reviewer_token == "secret":  # noqa: S105 - a mode, not a token
        reviewer = ClusterRight("get", "secrets", "", ESO_NAMESPACE, REVIEWER_TOKEN_SECRET)
    else:
        reviewer = ClusterRight(
            "create", "serviceaccounts", "", ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, subresource="token"
        )
    return (
        # Any: a namespace whose name is mistyped shall be said to be missing, not to be out of our reach.
        ClusterRight("get", "namespaces"),
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
                ClusterRight("get", "serviceaccounts", "", namespace, request.service_account),
                ClusterRight(
                    "create", "serviceaccounts", "", namespace, request.service_account, subresource="token"
                ),
                ClusterRight("get", "secretstores", "external-secrets.io", namespace, SECRET_STORE),
            )
        ),
    )


def further_cluster_rights(request: EnableRequest) -> tuple[ClusterRight, ...]:
    """What a run can do without, and what it cannot tell then."""
    return (
        ClusterRight(
            "get",
            "infrastructures",
            "config.openshift.io",
            name="cluster",
            without="whether the connection leads to the right cluster is not checked",
        ),
        ClusterRight(
            "get",
            "ingresses",
            "config.openshift.io",
            name="cluster",
            without="the router's certificate is not checked",
        ),
        # Lists cannot be limited to names; the operator may be in any namespace.
        ClusterRight("list", "deployments", "apps", without="that a SecretStore gets Ready is not proved"),
        *(
            ClusterRight(
                "list", "events", "", namespace, without="why a SecretStore is not Ready is not said"
            )
            for namespace in request.namespaces
        ),
    )
