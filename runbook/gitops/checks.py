"""What the GitOps repository must hold before an onboarding, checked row by row.

Nothing in here raises for what a row can say: preflight reports everything at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TypeAlias

from runbook import manifests
from runbook.checks import Check
from runbook.errors import PermanentError
from runbook.gitops.application_sets.for_cluster import from_set
from runbook.gitops.applications import deploys_folder
from runbook.gitops.tree import Tree, build_of, kustomization_of
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.request import ClusterRequest


def check_repository(tree: Tree, request: ClusterRequest, layout: Layout) -> tuple[Check, ...]:
    """One row for each thing that must be in the repository, each after those it builds upon."""
    cluster = request.target
    base = None if layout.operator_overlay is None else layout.operator_base
    return (
        _row(f"Overlay of {cluster}", _overlay(tree, cluster, layout)),
        _member(tree, "Operator's bundle", layout.operator_bundle, "the operator is installed by others"),
        _member(tree, "Operator's base", base, "the operator's overlays need none"),
        *_rows_of_argocd(tree, cluster, layout),
        *_admin_group(tree, cluster, layout),
    )


_Found: TypeAlias = tuple[str, str]
"""What was found, and the remedy where that is not enough."""


def _row(prerequisite: str, found: _Found, unasked: str = "") -> Check:
    """A row of what was found, or of why that says nothing."""
    if unasked:
        return Check(prerequisite, "not checked", unasked)
    return Check(prerequisite, "failed" if found[1] else "ok", *found)


def _member(tree: Tree, prerequisite: str, folder: str | None, otherwise: str) -> Check:
    """The row of a folder that ours build upon, or of why there is none."""
    if folder is None:
        return Check(prerequisite, "not checked", f"the layout names none: {otherwise}")
    return _row(
        prerequisite, _kustomization(tree, folder, "Add it, or correct the layout of the GitOpsRepository.")
    )


def _rows_of_argocd(tree: Tree, cluster: Cluster, layout: Layout) -> Iterator[Check]:
    """What makes ArgoCD deploy our folder."""
    if path := layout.application_set_of(cluster):
        yield _of_set(tree, cluster, layout, path)
        return
    folder, group = layout.applications_of(cluster), layout.application_group_of(cluster)
    if folder is None or group is None:
        what = "the layout names no folder of them: they are in another repository"
        yield Check(f"ArgoCD Applications of {cluster}", "not checked", what)
        return
    unasked = "" if tree.entries(folder) else "the folder of the Applications is missing"
    yield _row(f"ArgoCD Applications of {cluster}", _applications(tree, folder, group))
    yield _row("Application of the cluster's resources", _sibling(tree, group, cluster, layout), unasked)
    if layout.application_group:
        yield _row(f"ArgoCD builds {layout.application_group}", _group(tree, folder, group), unasked)
    prerequisite = f"App-of-apps of {cluster}"
    if layout.app_of_apps:
        yield _row(prerequisite, app_of_apps(tree, folder, layout.app_of_apps), unasked)
    else:
        elsewhere = "the layout names no folder of it: it is in another repository"
        yield Check(prerequisite, "not checked", unasked or elsewhere)


def _of_set(tree: Tree, cluster: Cluster, layout: Layout, path: str) -> Check:
    """Whether the set makes the Application of our folder, or will with an element that we add."""
    prerequisite = f"ApplicationSet of {layout.reviewer_folder_of(cluster)}"
    try:
        made = from_set(tree, cluster, layout, path)
    except PermanentError as error:
        return Check(prerequisite, "failed", f"{error.subject}: {error.answer}", error.remedy)
    return Check(prerequisite, "ok" if made.is_told else "not checked", f"{path}: {made.found}")


def declared_namespaces(tree: Tree, request: ClusterRequest, layout: Layout) -> frozenset[str]:
    """Which of the namespaces that a run needs the overlay declares, as far as the tree holds it."""
    build = build_of(tree, layout.cluster_overlay_of(request.target))
    return frozenset(request.needed_namespaces).intersection(build.named("Namespace"))


def interesting_folders(layout: Layout) -> tuple[str, ...]:
    """Top folders of everything that edits and checks may read, for a clone to fetch at once."""
    paths = [layout.cluster_overlay, layout.operator_bundle, layout.operator_overlay, layout.application_set]
    if layout.operator_overlay:
        paths.append(layout.operator_base)
    if layout.applications and not layout.application_set:
        paths += [layout.applications, layout.app_of_apps]
    return tuple(sorted({path.split("/")[0] for path in paths if path and "/" in path}))


def _overlay(tree: Tree, cluster: Cluster, layout: Layout) -> _Found:
    folder = layout.cluster_overlay_of(cluster)
    kustomization = kustomization_of(tree, folder)
    if kustomization is not None:
        return kustomization.path, ""
    if tree.entries(folder):
        return f"{folder} has no kustomization file", "Add a kustomization.yaml there first."
    env_folder = posixpath.dirname(folder)
    has_envs = "{env}" in layout.cluster_overlay
    if siblings := clusters_in(tree, env_folder):
        clusters = f" in {cluster.env!r}; its clusters" if has_envs else "; clusters"
        found = f"no cluster {cluster.name!r}{clusters}: {', '.join(siblings)}"
        return found, f"Correct the name, or add {folder} first."
    if not has_envs:
        return f"{folder} is not there", "Correct the name of the cluster, or add it first."
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


def _kustomization(tree: Tree, folder: str, remedy: str) -> _Found:
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return f"{folder} is not there, or has no kustomization file", remedy
    return kustomization.path, ""


def _applications(tree: Tree, folder: str, group: str) -> _Found:
    if tree.entries(folder):
        return _kustomization(tree, group, "Add it first.")
    return (
        f"{folder} is not there: ArgoCD deploys nothing to this cluster from this repository, "
        "and would never sync an Application in it",
        "Add the cluster to ArgoCD first: its Applications and the app-of-apps that deploys them.",
    )


def _sibling(tree: Tree, group: str, cluster: Cluster, layout: Layout) -> _Found:
    overlay = layout.cluster_overlay_of(cluster)
    path = f"{group}/{layout.sibling_application_of(cluster)}.yaml"
    text, kustomization = tree.read(path), kustomization_of(tree, group)
    if text is None:
        return f"{path} is not there", "Add it first: our Application is deployed as it is."
    if kustomization is None or path not in kustomization.members:
        return f"{path} is not listed in the kustomization beside it", "Add its line first."
    if not deploys_folder(text, overlay):
        return f"{path} does not deploy {overlay}", "Correct its source.path."
    return path, ""


def _group(tree: Tree, folder: str, group: str) -> _Found:
    name = group.removeprefix(f"{folder}/")
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return f"{folder} has no kustomization file", f"Add one that lists {name}."
    if group not in build_of(tree, folder).folders:
        return f"{kustomization.path} does not list {name}", f"Add {name} to its resources."
    return kustomization.path, ""


def app_of_apps(tree: Tree, applications: str, folder: str) -> _Found:
    """What in ``folder`` deploys that of a cluster's Applications, and what to do where nothing does."""
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


def _admin_group(tree: Tree, cluster: Cluster, layout: Layout) -> Iterator[Check]:
    home = layout.vault_home
    if home is None or not cluster.admin_group:
        return
    prerequisite = f"Group {cluster.admin_alias} on {home}"
    overlay = layout.cluster_overlay_of(home)
    groups = f"{overlay}/{layout.groups}"
    kustomization = kustomization_of(tree, overlay)
    members = kustomization.members if kustomization is not None else ()
    listed = tuple(path for path in members if path == groups or path.startswith(f"{groups}/"))
    for starts in (listed, (overlay,)):
        if found := build_of(tree, *starts).named("Group").get(cluster.admin_alias):
            yield Check(prerequisite, "ok", found[0])
            return
    remedy = (
        f"Add {groups}/{cluster.admin_alias}.yaml, and its line in {groups}/kustomization.yaml:\n"
        f"{manifests.admin_group(cluster)}"
    )
    found_none = f"the overlay of {home} does not declare it: it can have no members"
    yield Check(prerequisite, "warning", found_none, remedy)
