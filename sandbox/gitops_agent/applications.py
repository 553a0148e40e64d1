"""From the app-of-apps to the Applications of one cluster, along the chain that ArgoCD follows.

A file in a folder deploys nothing; only what a kustomization lists is rendered, and only what an Application
points at is deployed. A pull request that forgets a link of this chain is merged and stays without effect.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gitops_agent.kustomize import Kustomize
from sandbox.gitops_agent.manifests import Manifest, RenderError
from sandbox.gitops_agent.options import Options


class ChainError(Exception):
    """The cluster's Applications are not reached from the app-of-apps; the message says where it ends."""


@dataclass(frozen=True, slots=True)
class Application:
    """What an ArgoCD Application says.

    Args:
        name: with the suffix that its kustomization adds.
        path: folder of the repository that it deploys.
        repository: URL of the repository.
        project: the AppProject, which says who manages it.
        namespace: of namespaced objects that name none.
    """

    name: str
    path: str
    namespace: str
    repository: str = ""
    project: str = ""


def applications_of(kustomize: Kustomize, options: Options) -> tuple[Application, ...]:
    """The Applications of the cluster, in the order of their names.

    Raises:
        ChainError: the app-of-apps has no Application for the cluster, or one of the two cannot be built.
    """
    folder = options.path(options.folders.applications)
    parents = _in(kustomize, options.folders.app_of_apps)
    if not any(parent.path.strip("/") == folder for parent in parents):
        msg = f"no Application in {options.folders.app_of_apps} deploys {folder}"
        raise ChainError(msg)
    return tuple(sorted(_in(kustomize, folder), key=lambda application: application.name))


def of_cluster_management(
    applications: tuple[Application, ...], options: Options
) -> tuple[tuple[Application, ...], tuple[Application, ...]]:
    """Those that belong with the cluster's own resources, and the others.

    A cluster's Applications also hold its users' workloads, dozens of them and from other repositories. What
    an onboarding adds is of the same repository and the same project as the cluster's own resources.
    """
    overlay = options.path(options.folders.cluster_overlay)
    own = next((one for one in applications if one.path == overlay), None)
    if own is None:
        return applications, ()
    mine = tuple(
        one for one in applications if (one.repository, one.project) == (own.repository, own.project)
    )
    return mine, tuple(one for one in applications if one not in mine)


def _in(kustomize: Kustomize, folder: str) -> list[Application]:
    try:
        rendered = kustomize.build(folder)
    except RenderError as error:
        raise ChainError(str(error)) from error
    return [_application(one) for one in rendered.manifests if one["kind"] == "Application"]


def _application(manifest: Manifest) -> Application:
    spec = manifest.get("spec") or {}
    source = spec.get("source") or {}
    return Application(
        name=manifest["metadata"]["name"],
        path=str(source.get("path") or "").strip("/"),
        repository=str(source.get("repoURL") or ""),
        project=str(spec.get("project") or ""),
        namespace=str((spec.get("destination") or {}).get("namespace") or ""),
    )
