"""From the app-of-apps to the Applications of one cluster, along the chain that ArgoCD follows.

A file in a folder deploys nothing; only what a kustomization lists is rendered, and only what an Application
points at is deployed. A pull request that forgets a link of this chain is merged and stays without effect.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gitops_agent.application_sets import expanded
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
        cluster: what ArgoCD calls the cluster that it deploys to.
    """

    name: str
    path: str
    namespace: str
    repository: str = ""
    project: str = ""
    cluster: str = ""


def applications_of(kustomize: Kustomize, options: Options) -> tuple[Application, ...]:
    """The Applications of the cluster, in the order of their names.

    Raises:
        ChainError: the app-of-apps has no Application for the cluster, or one of the two cannot be built.
    """
    folders = options.folders
    if folders.application_sets:
        made = _in(kustomize, folders.application_sets)
        found = [one for one in made if one.cluster == options.cluster]
    elif not folders.applications:
        overlays = filter(None, map(options.path, (folders.cluster_overlay, folders.operator_overlay)))
        found = [Application(folder, folder, "default") for folder in overlays]
    else:
        folder = options.path(folders.applications)
        parents = _in(kustomize, folders.app_of_apps)
        if not any(parent.path.strip("/") == folder for parent in parents):
            msg = f"no Application in {folders.app_of_apps} deploys {folder}"
            raise ChainError(msg)
        found = _in(kustomize, folder)
    return tuple(sorted(found, key=lambda application: application.name))


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
        found = kustomize.build(folder).manifests
        sets = [one for one in found if one["kind"] == "ApplicationSet"]
        made = [item for one in sets for item in expanded(kustomize.root, one)]
    except RenderError as error:
        raise ChainError(str(error)) from error
    return [_application(one) for one in (*found, *made) if one["kind"] == "Application"]


def _application(manifest: Manifest) -> Application:
    spec = manifest.get("spec") or {}
    source, destination = spec.get("source") or {}, spec.get("destination") or {}
    return Application(
        name=manifest["metadata"]["name"],
        path=str(source.get("path") or "").strip("/"),
        repository=str(source.get("repoURL") or ""),
        project=str(spec.get("project") or ""),
        namespace=str(destination.get("namespace") or ""),
        cluster=str(destination.get("name") or ""),
    )
