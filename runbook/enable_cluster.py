"""What enabling a cluster changes in the GitOps repository, and how its pull request says so."""

from __future__ import annotations

from runbook.gitops import BuildFolders, FileEdit, StoreSettings, Tree, present_in, wanted_edits
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
    overlay, bundle = build(tree, layout.cluster_overlay_of(request.target), layout.operator_bundle)
    return wanted_edits(tree, request, layout, settings, present_in(tree, overlay, bundle, build))


def purpose(request: ClusterRequest) -> Purpose:
    """The words that are this runbook's own. Runs that wait compare them: see `Purpose`."""
    return Purpose(
        title=f"Enable Vault secrets on {request.target}",
        what=f"Installs the External Secrets Operator on `{request.target}` and lets the cluster read its "
        "secrets from Vault.",
        why="Workloads get their secrets through `ExternalSecret` objects; for that the cluster needs the "
        "operator, a `SecretStore` that points to Vault, and a ServiceAccount with which Vault checks who "
        "asks.",
        commit="Install the External Secrets Operator, with the SecretStore and the ServiceAccounts through "
        "which\nthe cluster reads its secrets from Vault.",
    )
