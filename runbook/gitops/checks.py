"""What the GitOps repository must hold before an onboarding, checked row by row.

Nothing in here raises for what a row can say: preflight reports everything at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from runbook import manifests
from runbook.checks import Check
from runbook.gitops.applications import deploys_folder
from runbook.gitops.tree import Tree, build_of, kustomization_of
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.request import ClusterRequest


def check_repository(tree: Tree, request: ClusterRequest, layout: Layout) -> tuple[Check, ...]:
    """One row for each thing that must be in the repository, each after those it builds upon."""
    cluster = request.target
    folder, group = layout.applications_of(cluster), layout.application_group_of(cluster)
    is_there = bool(tree.entries(folder))
    misplaced = "Add it, or correct the layout of the GitOpsRepository."
    rows: tuple[tuple[str, bool, Callable[[], tuple[str, str]]], ...] = (
        (f"Overlay of {cluster}", True, lambda: _overlay(tree, cluster, layout)),
        ("Operator's bundle", True, lambda: _kustomization(tree, layout.operator_bundle, misplaced)),
        ("Operator's base", True, lambda: _kustomization(tree, layout.operator_base, misplaced)),
        (f"ArgoCD Applications of {cluster}", True, lambda: _applications(tree, folder, group)),
        ("Application of the cluster's resources", is_there, lambda: _sibling(tree, cluster, layout)),
        (f"ArgoCD builds {layout.application_group}", is_there, lambda: _group(tree, folder, group)),
        (f"App-of-apps of {cluster}", is_there, lambda: app_of_apps(tree, folder, layout)),
    )
    people = (_admin_group(tree, cluster, layout),) if cluster.admin_group else ()
    return (*(_row(*row) for row in rows), *people)


def _row(prerequisite: str, is_there: bool, look: Callable[[], tuple[str, str]]) -> Check:
    """A row of what was found, and of the remedy where that is not enough."""
    if not is_there:
        return Check(prerequisite, "not checked", "the folder of the Applications is missing")
    found, remedy = look()
    return Check(prerequisite, "failed" if remedy else "ok", found, remedy)


def declared_namespaces(tree: Tree, request: ClusterRequest, layout: Layout) -> frozenset[str]:
    """Which of the requested namespaces the cluster's overlay declares, as far as the tree holds it."""
    build = build_of(tree, layout.cluster_overlay_of(request.target))
    return frozenset(request.namespaces).intersection(build.named("Namespace"))


def interesting_folders(layout: Layout) -> tuple[str, ...]:
    """Top folders of everything that edits and checks may read, for a clone to fetch at once."""
    paths = (
        layout.cluster_overlay,
        layout.operator_bundle,
        layout.operator_overlay,
        layout.operator_base,
        layout.applications,
        layout.app_of_apps,
    )
    return tuple(sorted({path.split("/")[0] for path in paths}))


def _overlay(tree: Tree, cluster: Cluster, layout: Layout) -> tuple[str, str]:
    folder = layout.cluster_overlay_of(cluster)
    kustomization = kustomization_of(tree, folder)
    if kustomization is not None:
        return kustomization.path, ""
    if tree.entries(folder):
        return f"{folder} has no kustomization file", "Add a kustomization.yaml there first."
    env_folder = posixpath.dirname(folder)
    if siblings := clusters_in(tree, env_folder):
        found = f"no cluster {cluster.name!r} in {cluster.env!r}; its clusters: {', '.join(siblings)}"
        return found, f"Correct the name, or add {folder} first."
    above = posixpath.dirname(env_folder)
    envs = ", ".join(env for env in _names(tree, above) if clusters_in(tree, f"{above}/{env}")) or "none"
    found = f"no environment {cluster.env!r}; environments: {envs}"
    return found, f"Correct the environment, or add {folder} first."


def clusters_in(tree: Tree, folder: str) -> list[str]:
    """Names of the overlays in a folder that are a cluster's: no other overlay there builds upon them."""
    overlays = [kustomization_of(tree, f"{folder}/{name}") for name in _names(tree, folder)]
    shared = {path for one in overlays if one is not None for path in one.members}
    return [posixpath.basename(one.folder) for one in overlays if one and one.folder not in shared]


def _names(tree: Tree, folder: str) -> list[str]:
    return [name.rstrip("/") for name in tree.entries(folder)]


def _kustomization(tree: Tree, folder: str, remedy: str) -> tuple[str, str]:
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return f"{folder} is not there, or has no kustomization file", remedy
    return kustomization.path, ""


def _applications(tree: Tree, folder: str, group: str) -> tuple[str, str]:
    if tree.entries(folder):
        return _kustomization(tree, group, "Add it first.")
    return (
        f"{folder} is not there: ArgoCD deploys nothing to this cluster from this repository, "
        "and would never sync an Application in it",
        "Add the cluster to ArgoCD first: its Applications and the app-of-apps that deploys them.",
    )


def _sibling(tree: Tree, cluster: Cluster, layout: Layout) -> tuple[str, str]:
    group, overlay = layout.application_group_of(cluster), layout.cluster_overlay_of(cluster)
    path = f"{group}/{manifests.SIBLING_APPLICATION}.yaml"
    text, kustomization = tree.read(path), kustomization_of(tree, group)
    if text is None:
        return f"{path} is not there", "Add it first: our Application is deployed as it is."
    if kustomization is None or path not in kustomization.members:
        return f"{path} is not listed in the kustomization beside it", "Add its line first."
    if not deploys_folder(text, overlay):
        return f"{path} does not deploy {overlay}", "Correct its source.path."
    return path, ""


def _group(tree: Tree, folder: str, group: str) -> tuple[str, str]:
    name = group.removeprefix(f"{folder}/")
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return f"{folder} has no kustomization file", f"Add one that lists {name}."
    if group not in build_of(tree, folder).folders:
        return f"{kustomization.path} does not list {name}", f"Add {name} to its resources."
    return kustomization.path, ""


def app_of_apps(tree: Tree, applications: str, layout: Layout) -> tuple[str, str]:
    """What deploys the folder of a cluster's Applications, and what to do where nothing does."""
    folder = layout.app_of_apps
    beside, missing = _kustomization(tree, folder, "Correct the layout, or add it first.")
    if missing:
        return beside, missing
    listed = build_of(tree, folder).files
    for path, text in listed.items():
        if deploys_folder(text, applications):
            return path, ""
    for name in tree.entries(folder):
        path = f"{folder}/{name}"
        if path not in listed and not name.endswith("/") and deploys_folder(tree.read(path), applications):
            return (
                f"{path} deploys {applications}, but {beside} does not list it: "
                "ArgoCD does not read it from this repository",
                f"Add {name} to the resources of {beside}.",
            )
    found = f"no Application in {folder} has the source.path {applications}"
    return found, f"Add one, and list it in {beside}."


def _admin_group(tree: Tree, cluster: Cluster, layout: Layout) -> Check:
    home = layout.vault_home
    prerequisite = f"Group {cluster.admin_alias} on {home}"
    overlay = layout.cluster_overlay_of(home)
    groups = f"{overlay}/{layout.groups}"
    kustomization = kustomization_of(tree, overlay)
    members = kustomization.members if kustomization is not None else ()
    listed = tuple(path for path in members if path == groups or path.startswith(f"{groups}/"))
    for starts in (listed, (overlay,)):
        if found := build_of(tree, *starts).named("Group").get(cluster.admin_alias):
            return Check(prerequisite, "ok", found[0])
    remedy = (
        f"Add {groups}/{cluster.admin_alias}.yaml, and its line in {groups}/kustomization.yaml:\n"
        f"{manifests.admin_group(cluster)}"
    )
    found_none = f"the overlay of {home} does not declare it: it can have no members"
    return Check(prerequisite, "warning", found_none, remedy)
