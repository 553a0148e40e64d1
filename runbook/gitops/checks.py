"""What the GitOps repository must hold before an onboarding, checked row by row.

Nothing in here raises for what a row can say: preflight reports everything at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook import manifests
from runbook.checks import Check
from runbook.gitops.edits import BASE, deploys_folder
from runbook.gitops.tree import Build, Tree, build_of, field, folders_like, kustomization_of, name_of
from runbook.layout import Layout
from runbook.names import SECRET_STORE, Cluster
from runbook.request import EnableRequest


def check_repository(tree: Tree, request: EnableRequest, layout: Layout) -> tuple[Check, ...]:
    """One row for each thing that must be in the repository, each after those it builds upon."""
    return (
        _cluster_folder(tree, request.target, layout),
        *_operator(tree, layout),
        *_argocd_chain(tree, request.target, layout),
        _existing_secret_management(tree, request, layout),
        _admin_group(tree, request.target, layout),
    )


def declared_namespaces(tree: Tree, request: EnableRequest, layout: Layout) -> frozenset[str]:
    """Which of the requested namespaces the cluster's overlay declares, as far as the tree holds it."""
    build = build_of(tree, layout.cluster_overlay_of(request.target))
    names = {name_of(manifest) for _, manifest in build.manifests("Namespace")}
    return frozenset(namespace for namespace in request.namespaces if namespace in names)


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


def _cluster_folder(tree: Tree, cluster: Cluster, layout: Layout) -> Check:
    prerequisite = f"Overlay of {cluster}"
    folder = layout.cluster_overlay_of(cluster)
    kustomization = kustomization_of(tree, folder)
    if kustomization is not None:
        return Check(prerequisite, "ok", kustomization.path)
    if tree.entries(folder):
        found = f"{folder} has no kustomization file"
        return Check(prerequisite, "failed", found, "Add a kustomization.yaml there first.")
    there = _clusters(tree, layout)
    siblings = [name for env, name in there if env == cluster.env]
    if siblings:
        found = f"no cluster {cluster.name!r} in {cluster.env!r}; there are: {', '.join(siblings)}"
        return Check(prerequisite, "failed", found, f"Correct the name, or add {folder} first.")
    envs = ", ".join(sorted({env for env, _ in there})) or "none"
    found = f"no environment {cluster.env!r}; there are: {envs}"
    return Check(prerequisite, "failed", found, f"Correct the environment, or add {folder} first.")


def _clusters(tree: Tree, layout: Layout) -> list[tuple[str, str]]:
    """Environment and name of the overlays that are a cluster's: no other overlay builds upon them."""
    overlays = {
        (env, name): kustomization_of(tree, layout.cluster_overlay_of(Cluster(env, name)))
        for env, name in folders_like(tree, layout.cluster_overlay)
    }
    found = {names: kustomization for names, kustomization in overlays.items() if kustomization is not None}
    shared = {path for kustomization in found.values() for path in kustomization.members}
    return [names for names, kustomization in found.items() if kustomization.folder not in shared]


def _operator(tree: Tree, layout: Layout) -> Iterator[Check]:
    for prerequisite, folder in (
        ("Operator's bundle", layout.operator_bundle),
        ("Operator's base", layout.operator_base),
    ):
        kustomization = kustomization_of(tree, folder)
        if kustomization is not None:
            yield Check(prerequisite, "ok", kustomization.path)
        else:
            remedy = "Add it, or correct the layout of the GitOps connection."
            yield Check(
                prerequisite, "failed", f"{folder} is not there, or has no kustomization file", remedy
            )


def _argocd_chain(tree: Tree, cluster: Cluster, layout: Layout) -> Iterator[Check]:
    folder, group = layout.applications_of(cluster), layout.application_group_of(cluster)
    rows: tuple[tuple[str, Callable[[], tuple[str, str]]], ...] = (
        (f"ArgoCD Applications of {cluster}", lambda: _applications_folder(tree, folder, group)),
        ("Application of the cluster's resources", lambda: _sibling(tree, cluster, layout)),
        (f"ArgoCD builds {layout.application_group}", lambda: _group_is_built(tree, folder, group)),
        (f"App-of-apps of {cluster}", lambda: _app_of_apps(tree, folder, layout)),
    )
    there = bool(tree.entries(folder))
    for number, (prerequisite, look) in enumerate(rows):
        if number and not there:
            yield Check(prerequisite, "not checked", "the folder of the Applications is missing")
            continue
        found, remedy = look()
        yield Check(prerequisite, "failed" if remedy else "ok", found, remedy)


def _applications_folder(tree: Tree, folder: str, group: str) -> tuple[str, str]:
    if not tree.entries(folder):
        return (
            f"{folder} is not there: ArgoCD deploys nothing to this cluster from this repository, "
            "and an Application put there would never be synced",
            "Add the cluster to ArgoCD first: its Applications and the app-of-apps that deploys them.",
        )
    kustomization = kustomization_of(tree, group)
    if kustomization is None:
        return f"{group} is not there, or has no kustomization file", "Add it first."
    return kustomization.path, ""


def _sibling(tree: Tree, cluster: Cluster, layout: Layout) -> tuple[str, str]:
    group = layout.application_group_of(cluster)
    path = f"{group}/{manifests.SIBLING_APPLICATION}.yaml"
    text, kustomization = tree.read(path), kustomization_of(tree, group)
    if text is None:
        return f"{path} is not there", "Add it first: our Application is deployed the way it is."
    if kustomization is None or path not in kustomization.members:
        return f"{path} is not listed in the kustomization beside it", "Add its line first."
    overlay = layout.cluster_overlay_of(cluster)
    if not deploys_folder(text, overlay):
        return f"{path} does not deploy {overlay}", "Correct its source.path."
    return path, ""


def _group_is_built(tree: Tree, folder: str, group: str) -> tuple[str, str]:
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return (
            f"{folder} has no kustomization file",
            f"Add one that lists {group.removeprefix(f'{folder}/')}.",
        )
    if group not in build_of(tree, folder).folders:
        name = group.removeprefix(f"{folder}/")
        return f"{kustomization.path} does not list {name}", f"Add {name} to its resources."
    return kustomization.path, ""


def _app_of_apps(tree: Tree, applications: str, layout: Layout) -> tuple[str, str]:
    folder = layout.app_of_apps
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        return f"{folder} is not there, or has no kustomization file", "Correct the layout, or add it first."
    listed = build_of(tree, folder).files
    for path, text in listed.items():
        if deploys_folder(text, applications):
            return path, ""
    for name in tree.entries(folder):
        path = f"{folder}/{name}"
        if path not in listed and not name.endswith("/") and deploys_folder(tree.read(path), applications):
            return (
                f"{path} deploys {applications}, but {kustomization.path} does not list it: "
                "ArgoCD does not know of it from this repository",
                f"Add {name} to the resources of {kustomization.path}.",
            )
    return (
        f"no Application in {folder} has the source.path {applications}",
        f"Add one, and list it in {kustomization.path}.",
    )


def _existing_secret_management(tree: Tree, request: EnableRequest, layout: Layout) -> Check:
    """A base that is there is kept as it is, so what it lacks has to be said."""
    prerequisite = f"SecretStore and ServiceAccount of {request.target}"
    folder = f"{layout.secret_management_of(request.target)}/{BASE}"
    if kustomization_of(tree, layout.cluster_overlay_of(request.target)) is None:
        return Check(prerequisite, "not checked", "the overlay of the cluster is missing")
    if not tree.entries(folder):
        return Check(prerequisite, "ok", f"{folder} will be added")
    build = build_of(tree, folder)
    accounts = {name_of(manifest) for _, manifest in build.manifests("ServiceAccount")}
    if request.service_account not in accounts:
        found = f"{folder} is there without the ServiceAccount {request.service_account}"
        return Check(prerequisite, "failed", found, "Add it there, or run with the one that is there.")
    differences = list(_differences(build, request))
    if differences:
        remedy = "It is kept as it is. Correct it, unless it is meant to be so."
        return Check(prerequisite, "warning", f"{folder}: {'; '.join(differences)}", remedy)
    return Check(prerequisite, "ok", f"{folder} is there, and is kept as it is")


def _differences(build: Build, request: EnableRequest) -> Iterator[str]:
    stores = [store for _, store in build.manifests("SecretStore") if name_of(store) == SECRET_STORE]
    if not stores:
        yield f"no SecretStore {SECRET_STORE}"
        return
    login = ("spec", "provider", "vault", "auth", "kubernetes")
    for path, wanted in (
        ((*login, "mountPath"), request.target.mount),
        ((*login, "role"), request.target.role),
        ((*login, "serviceAccountRef", "name"), request.service_account),
    ):
        value = field(stores[0], *path)
        if value != wanted:
            yield f"{path[-1]} of {SECRET_STORE} is {value!r}, the run makes {wanted!r}"


def _admin_group(tree: Tree, cluster: Cluster, layout: Layout) -> Check:
    home = layout.vault_home
    prerequisite = f"Group {cluster.admin_group} on {home}"
    overlay = layout.cluster_overlay_of(home)
    groups = f"{overlay}/{layout.groups}"
    kustomization = kustomization_of(tree, overlay)
    members = kustomization.members if kustomization is not None else ()
    listed = tuple(path for path in members if path == groups or path.startswith(f"{groups}/"))
    for starts in (listed, (overlay,)):
        for path, manifest in build_of(tree, *starts).manifests("Group"):
            if name_of(manifest) == cluster.admin_group:
                return Check(prerequisite, "ok", path)
    remedy = (
        f"Add {groups}/{cluster.admin_group}.yaml, and its line in {groups}/kustomization.yaml:\n"
        f"{manifests.admin_group(cluster)}"
    )
    found = f"the overlay of {home} does not declare it: no user can become a member"
    return Check(prerequisite, "warning", found, remedy)
