"""Our Application: added beside the one of the cluster's overlay, or made by an ApplicationSet."""

from __future__ import annotations

from typing import Any

from runbook import manifests
from runbook.documents import field, mapping_of
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops.application_sets.for_cluster import from_set
from runbook.gitops.applications import deploys_folder, sources_in
from runbook.gitops.draft import Draft, required
from runbook.gitops.tree import Manifest, Tree, build_of, kustomization_of, manifests_in, name_of
from runbook.layout import Layout
from runbook.names import Cluster


def add_application(draft: Draft, cluster: Cluster, layout: Layout) -> None:
    """Add the Application of the operator's overlay, deployed as its sibling is, where nothing deploys it.

    Nothing where there is no such overlay, or where the Applications are elsewhere; where a set makes them,
    an element in its list, if it needs one.

    Raises:
        PrerequisiteMissing: the folder of the Applications or the sibling in it is not there; or as
            `from_set`.
        Conflict: an Application of our name deploys something else, or a file of our name is none.
    """
    if path := layout.application_set_of(cluster):
        made = from_set(draft, cluster, layout, path)
        if made.text is not None:
            draft.put(path, made.text)
        return
    folder, deploys = layout.application_group_of(cluster), layout.operator_overlay_of(cluster)
    if folder is None or deploys is None:
        return
    if layout.operator_base is None and kustomization_of(draft, deploys) is None:
        return  # all that would be in it comes from elsewhere
    required(draft, folder, "folder of the cluster's ArgoCD Applications")
    members = build_of(draft, folder).files
    above = (layout.applications_of(cluster), layout.app_of_apps_of(cluster))
    others = build_of(draft, *filter(None, above)).files
    if any(deploys_folder(text, deploys) for text in (*members.values(), *others.values())):
        return
    text = _like_sibling(draft, folder, cluster, layout, deploys)
    ours = _key(mapping_of(text))
    for path, other in members.items():
        if ours in map(_key, manifests_in(other, "Application")):
            raise Conflict(
                "Git",
                path,
                f"has an Application {ours[0]} that does not deploy {deploys}",
                "Rename it, or let it deploy that folder.",
            )
    path = f"{folder}/{layout.application_of(cluster)}.yaml"
    otherwise = f"is not an Application of {deploys}"
    draft.put_unless(path, text, lambda there: deploys_folder(there, deploys), otherwise)
    draft.build_upon(folder, path)


def _key(application: Manifest) -> tuple[str | None, Any]:
    return name_of(application), field(application, "metadata", "namespace")


def _like_sibling(tree: Tree, folder: str, cluster: Cluster, layout: Layout, deploys: str) -> str:
    """Our Application, deployed as the one in ``folder`` that deploys the cluster's overlay."""
    sibling, overlay = layout.sibling_application_of(cluster), layout.cluster_overlay_of(cluster)
    path = f"{folder}/{sibling}.yaml"
    text = tree.read(path) or ""
    for item in manifests_in(text, "Application"):
        for source, deployed in sources_in(item.get("spec")):
            if deployed == overlay:
                # Where its name is longer than its file's, so is ours.
                name = layout.application_of(cluster) + (name_of(item) or "").partition(sibling)[2]
                namespace = cluster.operator.namespace
                return manifests.application(name, item, source, text, path, deploys, namespace)
    raise PrerequisiteMissing(
        "Git",
        path,
        f"has no Application that deploys {overlay}" if text else "is not in the repository",
        "Add it first: our Application is deployed as it is.",
    )
