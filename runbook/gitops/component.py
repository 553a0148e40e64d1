"""Where the SecretStores that a component brings log in, as the overlay of a cluster builds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runbook.gitops.built import BuildFolders, Built, Present, key_of
from runbook.gitops.tree import EditedTree, FileEdit, Tree, name_of
from runbook.layout import Layout
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore


def edits_with_patches(
    edits: Callable[[Present], tuple[FileEdit, ...]],
    present: Present,
    tree: Tree,
    request: ClusterRequest,
    layout: Layout,
    build: BuildFolders,
) -> tuple[FileEdit, ...]:
    """A change in which each store that a component brings is told where to log in, if it does not say so.

    An overlay may patch the stores of all its namespaces; where it cannot be built, the component's own text
    counts.

    Args:
        edits: makes the change.
        present: what is there before it.
        tree: a commit's files.
        request: the run's parameters.
        layout: where things are in this repository.
        build: builds folders.
    """
    target, proposed = request.target, edits(present)
    if not target.store.component or not proposed:
        return proposed
    after = EditedTree(tree, proposed)
    overlay, component = build(after, layout.cluster_overlay_of(target), target.store.component)
    patched = _elsewhere(overlay, request)
    if overlay.failure:
        by_itself = next(iter(_elsewhere(component, request).values()), {})
        patched = dict.fromkeys(request.namespaces, by_itself)
    return edits(replace(present, patched=patched)) if any(patched.values()) else proposed


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
