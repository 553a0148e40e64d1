"""What is there before anybody has done anything: namespaces, roles, and OpenShift's cluster objects."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.kubernetes_api.kinds import RBAC_GROUP
from sandbox.kubernetes_api.names import timestamp
from sandbox.kubernetes_api.status import Object
from sandbox.kubernetes_api.storage import Store

_KUBERNETES_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_OPENSHIFT_NAMESPACES = ("openshift-config", "openshift-infra", "openshift-ingress", "openshift-operators")
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_VIEWED = [(["configmaps", "events", "serviceaccounts"], ""), (["deployments"], "apps")]
_EDITED = [(["configmaps", "secrets", "serviceaccounts"], ""), (["deployments"], "apps")]
_RBAC_OBJECTS = (["rolebindings", "roles"], RBAC_GROUP)


def _rule(verbs: list[str], resources: list[str], group: str) -> Object:
    return {"verbs": verbs, "apiGroups": [group], "resources": resources}


def _paths(*paths: str) -> Object:
    return {"verbs": ["get"], "nonResourceURLs": sorted(paths)}


_NAMESPACE_RULE = _rule(_READ, ["namespaces"], "")
_VIEW = [_NAMESPACE_RULE, *(_rule(_READ, *place) for place in _VIEWED)]
_EDIT = [_NAMESPACE_RULE, *(_rule(_READ + _WRITE, *place) for place in _EDITED), _rule(_READ, ["events"], "")]
_VERSION = ("/version", "/version/")
_DEFAULT = {
    "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
    "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
}

CLUSTER_ROLES: dict[str, list[Object]] = {
    "admin": [
        *_EDIT,
        _rule(["create"], ["serviceaccounts/token"], ""),
        _rule(_READ + _WRITE, *_RBAC_OBJECTS),
    ],
    "cluster-admin": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ],
    "edit": [*_EDIT, _rule(["create"], ["serviceaccounts/token"], "")],
    "system:auth-delegator": [
        _rule(["create"], ["tokenreviews"], "authentication.k8s.io"),
        _rule(["create"], ["subjectaccessreviews"], "authorization.k8s.io"),
    ],
    "system:basic-user": [
        _rule(["create"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], "authorization.k8s.io"),
    ],
    "system:discovery": [_paths("/api", "/api/*", "/apis", "/apis/*", *_VERSION)],
    "system:public-info-viewer": [_paths(*_VERSION)],
    "system:service-account-issuer-discovery": [
        _paths("/openid/v1/jwks", "/openid/v1/jwks/"),
    ],
    "view": _VIEW,
}
CLUSTER_ROLE_BINDINGS: dict[str, list[str]] = {
    "cluster-admin": ["system:masters"],
    "system:basic-user": ["system:authenticated"],
    "system:discovery": ["system:authenticated"],
    "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
    "system:service-account-issuer-discovery": ["system:serviceaccounts"],
}
"""Groups that hold the ClusterRole of the same name."""


def fill(store: Store, url: str, cluster_name: str, *, openshift: bool) -> None:
    """Put in what a fresh cluster has.

    Args:
        url: of this API server.
        cluster_name: what the cluster is called, by itself and in its domain.
        openshift: also what only OpenShift has.
    """
    for name in _KUBERNETES_NAMESPACES + (_OPENSHIFT_NAMESPACES if openshift else ()):
        store.write("namespaces", _namespace(name))
    for name, rules in CLUSTER_ROLES.items():
        role = _object(f"{RBAC_GROUP}/v1", "ClusterRole", name, _DEFAULT, rules=rules)
        store.write(f"clusterroles.{RBAC_GROUP}", role)
    for name, groups in CLUSTER_ROLE_BINDINGS.items():
        subjects = [{"kind": "Group", "apiGroup": RBAC_GROUP, "name": group} for group in groups]
        reference = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name}
        binding = _object(
            f"{RBAC_GROUP}/v1", "ClusterRoleBinding", name, _DEFAULT, roleRef=reference, subjects=subjects
        )
        store.write(f"clusterrolebindings.{RBAC_GROUP}", binding)
    if openshift:
        _fill_openshift(store, url, cluster_name)


def _fill_openshift(store: Store, url: str, cluster_name: str) -> None:
    domain = f"{cluster_name}.sandbox.test"
    infrastructure_status = {
        "apiServerInternalURI": url,
        "apiServerURL": url,
        "controlPlaneTopology": "SingleReplica",
        "etcdDiscoveryDomain": "",
        # An installer adds five random characters; a fixed suffix keeps runs comparable.
        "infrastructureName": f"{cluster_name}-7x2mk",
        "infrastructureTopology": "SingleReplica",
        "platform": "None",
        "platformStatus": {"type": "None"},
    }
    store.write(
        "infrastructures.config.openshift.io",
        _object(
            "config.openshift.io/v1",
            "Infrastructure",
            "cluster",
            spec={"cloudConfig": {"name": ""}, "platformSpec": {"type": "None"}},
            status=infrastructure_status,
        ),
    )
    store.write(
        "ingresses.config.openshift.io",
        _object("config.openshift.io/v1", "Ingress", "cluster", spec={"domain": f"apps.{domain}"}),
    )
    namespace = {"namespace": "openshift-operators"}
    store.write(
        "operatorgroups.operators.coreos.com",
        _object("operators.coreos.com/v1", "OperatorGroup", "global-operators", namespace, spec={}),
    )


def _namespace(name: str) -> Object:
    return _object(
        "v1",
        "Namespace",
        name,
        {"labels": {"kubernetes.io/metadata.name": name}},
        spec={"finalizers": ["kubernetes"]},
        status={"phase": "Active"},
    )


def _object(api_version: str, kind: str, name: str, metadata: Object | None = None, **parts: Any) -> Object:
    common = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
    return {"kind": kind, "apiVersion": api_version, "metadata": common | (metadata or {}), **parts}
