"""Where the SecretStores that a component brings log in, as the overlay of a cluster builds them."""

from __future__ import annotations

from dataclasses import replace

from runbook.gitops.built import BuildFolders, Built, Present, key_of
from runbook.gitops.tree import EditedTree, FileEdit, Tree, name_of
from runbook.layout import Layout
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore


def with_patches(
    present: Present,
    tree: Tree,
    edits: tuple[FileEdit, ...],
    request: ClusterRequest,
    layout: Layout,
    build: BuildFolders,
) -> Present:
    """``present``, and what the store of which namespace has to be told of where it logs in.

    An overlay may patch the stores of all its namespaces; where it cannot be built, the component's own text
    counts.

    Args:
        present: what is there before our change.
        tree: a commit's files.
        edits: our change without any patch.
        request: the run's parameters.
        layout: where things are in this repository.
        build: builds folders.
    """
    target = request.target
    if not target.store.component or not edits:
        return present
    after = EditedTree(tree, edits)
    overlay, component = build(after, layout.cluster_overlay_of(target), target.store.component)
    if overlay.failure:
        by_itself = next(iter(_elsewhere(component, request).values()), {})
        return replace(present, patched=dict.fromkeys(request.namespaces, by_itself))
    return replace(present, patched=_elsewhere(overlay, request))


def _elsewhere(built: Built, request: ClusterRequest) -> dict[str, dict[str, str]]:
    """By namespace, what of the login of our store is not as meant, and how it is meant."""
    target, found = request.target, {}
    for item in built.objects(target.store.kind):
        store = VaultStore.of_spec(item.get("spec"))
        if name_of(item) == target.store.name:
            login = found[key_of(item).namespace] = dict[str, str]()
            if store.mount_path.strip("/") != target.mount:
                login["mountPath"] = target.mount
            if store.role.lower() != target.role:
                login["role"] = target.role
    return found
