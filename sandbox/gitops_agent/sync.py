"""One sync of one Application, with ArgoCD's order and its rule for unknown kinds.

ArgoCD tries every object as a dry run first. An object whose kind the cluster does not serve fails the dry
run, and then nothing of the Application is applied, unless the object carries
``argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true`` or the same Application brings the CRD.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sandbox.gitops_agent.cluster import Cluster, ClusterError
from sandbox.gitops_agent.manifests import Identity, Manifest

CRD = "CustomResourceDefinition"
_SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
_SKIP_DRY_RUN = "SkipDryRunOnMissingResource=true"

# Kinds that others depend on come first, in this order; everything else follows by name of kind.
_FIRST = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    CRD,
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "Deployment",
)

Apply = Callable[[Manifest], None]


@dataclass(slots=True)
class SyncResult:
    """How a sync went. It is done when nothing is ``failed`` and nothing is ``waiting``.

    ``waiting`` are objects that may wait until their kind is served.
    """

    applied: list[Identity] = field(default_factory=list)
    waiting: list[Identity] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether the Application needs no further sync."""
        return not self.failed and not self.waiting


def in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Manifests in the order in which they are applied."""
    return sorted(manifests, key=_rank)


def _rank(manifest: Manifest) -> tuple[int, str, Identity]:
    kind = manifest["kind"]
    # Kinds of Kubernetes itself before those that a CRD adds, whose groups are domains of their own.
    group = manifest["apiVersion"].split("/")[0]
    custom = "." in group and not group.endswith(".k8s.io")
    early = _FIRST.index(kind) if kind in _FIRST and not custom else len(_FIRST) + custom
    return early, kind, Identity.of(manifest)


def placed(cluster: Cluster, manifest: Manifest, namespace: str) -> Manifest:
    """The manifest with the namespace that it ends up in: its own, else the Application's, or none at all."""
    made = copy.deepcopy(manifest)
    resource = cluster.resource(made["apiVersion"], made["kind"])
    if resource and not resource.namespaced:
        made["metadata"].pop("namespace", None)
    elif resource and not made["metadata"].get("namespace"):
        made["metadata"]["namespace"] = namespace
    return made


def unserved(cluster: Cluster, manifests: Sequence[Manifest]) -> list[Manifest]:
    """Those whose kind the cluster does not serve and no CRD among them brings."""
    brought = {
        (f"{one['spec']['group']}/{version['name']}", one["spec"]["names"]["kind"])
        for one in manifests
        if one["kind"] == CRD
        for version in one["spec"].get("versions") or []
    }
    return [
        one
        for one in manifests
        if (one["apiVersion"], one["kind"]) not in brought
        and cluster.resource(one["apiVersion"], one["kind"]) is None
    ]


def may_wait(manifest: Manifest) -> bool:
    """Whether a missing kind is allowed for this object."""
    options = str((manifest["metadata"].get("annotations") or {}).get(_SYNC_OPTIONS) or "")
    return _SKIP_DRY_RUN in [option.strip() for option in options.split(",")]


def sync(
    cluster: Cluster,
    manifests: Sequence[Manifest],
    namespace: str,
    apply: Apply,
    may_be_unserved: Callable[[Manifest], bool] = may_wait,
) -> SyncResult:
    """Sync the objects of one Application.

    Args:
        cluster: asked which kinds are served.
        manifests: as rendered.
        namespace: destination of the Application.
        apply: applies one object; raises `ClusterError`.
        may_be_unserved: whether an object only waits while its kind is not served.
    """
    result = SyncResult()
    missing = unserved(cluster, manifests)
    refused = sorted({f"{one['kind']} ({one['apiVersion']})" for one in missing if not may_be_unserved(one)})
    if refused:
        result.failed = [f"the cluster does not serve {', '.join(refused)}; nothing was applied"]
        return result
    result.waiting = [Identity.of(one) for one in missing]
    skipped = set(result.waiting)
    failed_kind = None
    for manifest in in_order(one for one in manifests if Identity.of(one) not in skipped):
        if failed_kind not in {None, manifest["kind"]}:
            break  # what comes later may depend on what failed
        if cluster.resource(manifest["apiVersion"], manifest["kind"]) is None:
            cluster.forget()  # brought by a CRD a moment ago
        one = placed(cluster, manifest, namespace)
        try:
            apply(one)
        except ClusterError as error:
            result.failed.append(f"{Identity.of(one)}: {error}")
            failed_kind = manifest["kind"]
        else:
            result.applied.append(Identity.of(one))
    return result
