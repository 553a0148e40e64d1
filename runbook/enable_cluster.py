"""What enabling a cluster changes in the GitOps repository, and how its pull request says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from runbook.enable_namespace import with_scope, words_for
from runbook.gitops import (
    BuildFolders,
    FileEdit,
    StoreSettings,
    Tree,
    build_named,
    edits_with_patches,
    present_in,
    wanted_edits,
)
from runbook.layout import Layout
from runbook.pull_request import Purpose
from runbook.request import ClusterRequest


def edits(
    tree: Tree, request: ClusterRequest, layout: Layout, settings: StoreSettings, build: BuildFolders
) -> tuple[FileEdit, ...]:
    """What ``tree`` lacks of the change; objects that others have already are no part of it.

    Raises:
        EnablementError: as `wanted_edits` and ``build``.
    """
    overlay, target = layout.cluster_overlay_of(request.target), request.target
    lists = layout.operator_overlay_of(target) if layout.bundle_listed_in == "operator_overlay" else None
    built, bundle, operator = build_named(build, tree, overlay, layout.operator_bundle, lists)
    present = present_in(tree, built, bundle, build, operator)
    wanted = partial(wanted_edits, tree, request, layout, settings)
    return edits_with_patches(wanted, present, tree, request, layout, build)


def purpose(request: ClusterRequest, files: Mapping[str, str], layout: Layout) -> Purpose:
    """The words that are this runbook's own, of a change with these diffs. Runs that wait compare them."""
    installs = layout.operator_bundle is not None
    what = f"Installs the External Secrets Operator on `{request.target}` and lets the cluster read its"
    commit = "Install the External Secrets Operator, with the SecretStore and the ServiceAccounts through"
    whole = Purpose(
        title=f"Enable Vault secrets on {request.target}",
        what=f"{what if installs else f'Lets `{request.target}` read its'} secrets from Vault.",
        why="Workloads get their secrets through `ExternalSecret` objects; for that the cluster needs the "
        "operator, a `SecretStore` that points to Vault, and a ServiceAccount with which Vault checks who "
        "asks.",
        commit=f"{commit if installs else 'Add the SecretStore and the ServiceAccounts through'} which\n"
        "the cluster reads its secrets from Vault.",
    )
    namespaces = _only_namespaces(request, files)
    now = words_for(request, namespaces) if namespaces else whole
    return replace(with_scope(now, request), former=whole)


def _only_namespaces(request: ClusterRequest, files: Mapping[str, str]) -> list[str]:
    """The namespaces that get a folder, where nothing but that and the lines that lead to it is changed."""
    names = set(request.namespaces) - {request.cluster}
    folders = {folder for path in files if (folder := path.rpartition("/")[0]).rpartition("/")[2] in names}
    leading = {"resources:", *(name for folder in folders for name in folder.split("/"))}
    for path, diff in files.items():
        added = [line[1:].strip(" -'\"/") for line in diff.splitlines()[2:] if line.startswith("+")]
        if path.rpartition("/")[0] not in folders and not leading.issuperset(
            line.rpartition("/")[2] for line in added if line
        ):
            return []
    return sorted(folder.rpartition("/")[2] for folder in folders)
