"""The rights that a run needs on the cluster. It changes nothing there but asks for tokens.

One list serves all: preflight asks for these rights, and ``python -m deployments.openshift.account`` prints
them as Roles and a ClusterRole of the pipeline's account.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runbook.request import ClusterRequest


@dataclass(frozen=True, slots=True)
class ClusterRight:
    """One right, in the words of Kubernetes RBAC.

    Attributes:
        verb: ``get``, ``create``, ...
        resource: plural name, such as ``secrets``.
        group: API group; empty for the core group.
        namespace: empty for a cluster-scoped resource, or for every namespace.
        name: one object; empty for all.
        subresource: such as ``token`` of ``serviceaccounts``.
        without: what a run does not know or prove without it; empty where it cannot do without.
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    without: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """The ``resourceAttributes`` of an access review."""
        return {field: value for field, value in asdict(self).items() if value and field != "without"}

    @property
    def kind(self) -> str:
        """The resource as a rule of a Role names it: ``serviceaccounts/token``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def __str__(self) -> str:
        """As an operator reads it: ``create serviceaccounts/token eso-vault-auth in namespace x``."""
        group = f".{self.group}" if self.group else ""
        subresource = f"/{self.subresource}" if self.subresource else ""
        where = f"in namespace {self.namespace}" if self.namespace else "cluster-wide"
        return " ".join(filter(None, (self.verb, f"{self.resource}{group}{subresource}", self.name, where)))


EVENTS_OF_CLUSTER = "default"
"""The namespace in which Events of objects are that are in none."""

REVIEW_TOKENS = ClusterRight("create", "tokenreviews", "authentication.k8s.io")
"""What Vault does with the reviewer's token; the pipeline itself may not."""


def cluster_rights(request: ClusterRequest) -> tuple[ClusterRight, ...]:
    """What a run asks of the cluster; last what it can do without, with what it cannot tell then."""
    operator, store = request.conventions.operator, request.conventions.store
    account, eso, config = request.service_account, "external-secrets.io", "config.openshift.io"
    if request.reviewer_token == "secret":  # noqa: S105 - a mode, not a token
        reviewer = ClusterRight("get", "secrets", "", operator.namespace, operator.reviewer_token)
    else:
        reviewer = ClusterRight(
            "create", "serviceaccounts", "", operator.namespace, operator.reviewer, "token"
        )
    needed = [
        # Any: a namespace whose name is mistyped shall be said to be missing, not to be out of our reach.
        ClusterRight("get", "namespaces"),
        ClusterRight("get", "serviceaccounts", "", operator.namespace, operator.reviewer),
        reviewer,
        ClusterRight("create", "subjectaccessreviews", "authorization.k8s.io"),
        ClusterRight("get", "customresourcedefinitions", "apiextensions.k8s.io", "", store.crd),
    ]
    without_router = "the router's certificate is not checked"
    without_events = "the reason why a SecretStore is not Ready is not shown"
    without_secrets = "ExternalSecrets that are not synced are not shown"
    without_operator = "whether the operator runs is seen on its SecretStores alone"
    without_identity = "whether the connection points to the right cluster is not checked"
    further = [
        ClusterRight("get", "infrastructures", config, "", "cluster", without=without_identity),
        ClusterRight("get", "ingresses", config, "", "cluster", without=without_router),
        # Lists cannot be limited to names; the operator may be in any namespace.
        ClusterRight("list", "deployments", "apps", without=without_operator),
    ]
    accounts, stores = request.account_namespaces, request.store_namespaces
    for namespace in dict.fromkeys((*stores, *accounts, *request.namespaces)):
        if namespace in accounts:
            needed += [
                ClusterRight("get", "serviceaccounts", "", namespace, account),
                ClusterRight("create", "serviceaccounts", "", namespace, account, "token"),
            ]
        if namespace in stores:
            needed.append(ClusterRight("get", store.plural, eso, namespace, store.name))
        if namespace in (*stores, *request.namespaces):
            events = namespace or EVENTS_OF_CLUSTER
            further.append(ClusterRight("list", "events", "", events, without=without_events))
        if namespace in request.namespaces:
            further.append(ClusterRight("list", "externalsecrets", eso, namespace, without=without_secrets))
    return (*needed, *further)
