"""Which files of a repository a run for one cluster reads, as far as the kustomizations tell."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.gitops.tree import Tree, kustomization_of
from runbook.layout import Layout
from runbook.request import ClusterRequest


def needed_files(tree: Tree, request: ClusterRequest, layout: Layout) -> Iterator[str]:
    """Paths of all files in the folders from which those of the cluster are built, and of what they list.

    What a build needs besides, a patch in a folder below for example, is fetched for the build.
    """
    target = request.target
    starts = (
        layout.cluster_overlay_of(target),
        layout.secret_management_of(target),
        layout.operator_bundle,
        layout.operator_base,
        layout.operator_overlay_of(target),
        layout.applications_of(target),
        layout.application_group_of(target),
        layout.app_of_apps_of(target),
        layout.application_set_of(target),
        layout.cluster_overlay_of(layout.vault_home) if layout.vault_home else None,
    )
    waiting, seen = [path for path in starts if path], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        entries = tree.entries(path)
        yield from (f"{path}/{name}" for name in entries if not name.endswith("/"))
        if not entries:
            yield path
        elif kustomization := kustomization_of(tree, path):
            waiting += kustomization.members
