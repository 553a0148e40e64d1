"""What this server serves: its kinds, their names and their habits.

The built-in table holds only what the sandbox needs. Whatever is not in it, and was not added by a
CustomResourceDefinition, does not exist here, exactly as on a cluster that lacks it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.kubernetes_api import structures
from sandbox.kubernetes_api.status import Object, qualified

ALL_VERBS = ("create", "delete", "get", "list", "patch", "update")
RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    """One served version of a resource.

    Attributes:
        custom: behaves as a resource of a CustomResourceDefinition: an update has to carry a resourceVersion.
        deleted_object_returned: whether DELETE answers with the object rather than with a Status.
        schema: the fields that are kept and checked; None, as of custom resources, keeps everything.
    """

    group: str
    version: str
    resource: str
    name: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    custom: bool = False
    has_status: bool = False
    deleted_object_returned: bool = False
    schema: Object | None = field(default=None, hash=False)
    list_kind: str = ""
    singular: str = ""

    @property
    def api_version(self) -> str:
        """As it stands in an object: ``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """As it stands in messages, and the key of the storage: all versions share their objects."""
        return qualified(self.group, self.resource)


def _core(resource: str, name: str, schema: Object, short_name: str = "") -> Kind:
    return Kind(
        group="",
        version="v1",
        resource=resource,
        name=name,
        namespaced=resource != "namespaces",
        short_names=(short_name,) if short_name else (),
        schema=schema,
        has_status="status" in schema["properties"],
        deleted_object_returned=resource == "serviceaccounts",
    )


def _rbac(resource: str, name: str, schema: Object) -> Kind:
    namespaced = not resource.startswith("cluster")
    return Kind(RBAC_GROUP, "v1", resource, name, namespaced, schema=schema)


def _review(group: str, resource: str, name: str, schema: Object) -> Kind:
    return Kind(group, "v1", resource, name, namespaced=False, verbs=("create",), schema=schema)


TOKEN_REQUEST = Kind(
    group="authentication.k8s.io",
    version="v1",
    resource="serviceaccounts/token",
    name="TokenRequest",
    namespaced=True,
    verbs=("create",),
    schema=structures.TOKEN_REQUEST,
)
"""Not in the registry: it has no place of its own, only the one below ServiceAccounts."""


CUSTOM_RESOURCE_DEFINITION = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    resource="customresourcedefinitions",
    name="CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    schema=structures.CUSTOM_RESOURCE_DEFINITION,
    has_status=True,
)

KUBERNETES_KINDS: tuple[Kind, ...] = (
    _core("configmaps", "ConfigMap", structures.CONFIG_MAP, "cm"),
    _core("events", "Event", structures.EVENT, "ev"),
    _core("namespaces", "Namespace", structures.NAMESPACE, "ns"),
    _core("secrets", "Secret", structures.SECRET),
    _core("serviceaccounts", "ServiceAccount", structures.SERVICE_ACCOUNT, "sa"),
    Kind(
        group="apps",
        version="v1",
        resource="deployments",
        name="Deployment",
        namespaced=True,
        short_names=("deploy",),
        schema=structures.DEPLOYMENT,
        has_status=True,
    ),
    _rbac("clusterrolebindings", "ClusterRoleBinding", structures.ROLE_BINDING),
    _rbac("clusterroles", "ClusterRole", structures.CLUSTER_ROLE),
    _rbac("rolebindings", "RoleBinding", structures.ROLE_BINDING),
    _rbac("roles", "Role", structures.ROLE),
    CUSTOM_RESOURCE_DEFINITION,
    _review("authentication.k8s.io", "tokenreviews", "TokenReview", structures.TOKEN_REVIEW),
    _review(
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        structures.SELF_SUBJECT_ACCESS_REVIEW,
    ),
    _review(
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        structures.SELF_SUBJECT_RULES_REVIEW,
    ),
    _review(
        "authorization.k8s.io",
        "subjectaccessreviews",
        "SubjectAccessReview",
        structures.SUBJECT_ACCESS_REVIEW,
    ),
)


def _openshift(group: str, version: str, resource: str, name: str, *, namespaced: bool = False) -> Kind:
    return Kind(
        group=group,
        version=version,
        resource=resource,
        name=name,
        namespaced=namespaced,
        custom=True,
        has_status=group != "user.openshift.io",
    )


OPENSHIFT_KINDS: tuple[Kind, ...] = (
    _openshift("config.openshift.io", "v1", "infrastructures", "Infrastructure"),
    _openshift("config.openshift.io", "v1", "ingresses", "Ingress"),
    _openshift("operators.coreos.com", "v1", "operatorgroups", "OperatorGroup", namespaced=True),
    _openshift("operators.coreos.com", "v1alpha1", "subscriptions", "Subscription", namespaced=True),
    _openshift("user.openshift.io", "v1", "groups", "Group"),
)


class Registry:
    """The kinds that are served now."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {(kind.group, kind.version, kind.resource): kind for kind in kinds}
        self._definitions: dict[str, list[Kind]] = {}

    def find(self, group: str, version: str, resource: str) -> Kind | None:
        """The kind at this place, or None."""
        return self._kinds.get((group, version, resource))

    def has_group(self, group: str) -> bool:
        """Whether anything of this group is served."""
        return any(kind.group == group for kind in self._kinds.values())

    def kinds(self) -> list[Kind]:
        """All kinds, sorted by group, version and resource."""
        return [self._kinds[key] for key in sorted(self._kinds)]

    def storage_kinds(self) -> list[Kind]:
        """One kind for each resource that holds objects, whatever the number of its versions."""
        by_resource = {kind.group_resource: kind for kind in self.kinds() if "list" in kind.verbs}
        return list(by_resource.values())

    def define(self, definition: Object) -> None:
        """Serve what a CustomResourceDefinition declares, in place of what it declared before."""
        name = definition["metadata"]["name"]
        self.undefine(name)
        kinds = kinds_of(definition)
        self._definitions[name] = kinds
        self._kinds.update({(kind.group, kind.version, kind.resource): kind for kind in kinds})

    def undefine(self, name: str) -> None:
        """Serve no longer what the CustomResourceDefinition of this name declared."""
        for kind in self._definitions.pop(name, []):
            del self._kinds[(kind.group, kind.version, kind.resource)]


def kinds_of(definition: Object) -> list[Kind]:
    """The kinds, one a served version, of a CustomResourceDefinition that has been validated."""
    spec = definition["spec"]
    names = spec["names"]
    return [
        Kind(
            group=spec["group"],
            version=version["name"],
            resource=names["plural"],
            name=names["kind"],
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames", ())),
            custom=True,
            has_status="status" in version.get("subresources", {}),
            list_kind=names.get("listKind", ""),
            singular=names.get("singular", ""),
        )
        for version in spec["versions"]
        if version.get("served")
    ]
