"""What the steps around the pull request share: the clone, and what is still missing on the base branch."""

from __future__ import annotations

from collections.abc import Iterable

from connections import GitOpsRepository, VaultConnection
from runbook.gitops import StoreSettings
from runbook.layout import Layout
from runbook.names import Cluster
from systems.gitops import GitOpsClone


def interesting_paths(layout: Layout, cluster: Cluster) -> tuple[str, ...]:
    """Folders that a run reads; the clone brings these files alone."""
    # Siblings are read for the API version of their SecretStores.
    overlays = layout.cluster_overlay.split("{", 1)[0].rstrip("/")
    return (
        overlays,
        layout.cluster_overlay_of(cluster),
        layout.cluster_overlay_of(layout.vault_home),
        layout.operator_bundle,
        layout.operator_base,
        layout.operator_overlay_of(cluster),
        layout.applications_of(cluster),
        layout.app_of_apps,
    )


def clone(repository: GitOpsRepository, cluster: Cluster) -> GitOpsClone:
    """A shallow clone of the base branch's head with the files of one cluster, to use in a ``with`` block."""
    return clone_for(repository, [cluster])


def clone_for(repository: GitOpsRepository, clusters: Iterable[Cluster]) -> GitOpsClone:
    """The same with the files of several clusters."""
    paths = [path for cluster in clusters for path in interesting_paths(repository.layout, cluster)]
    return GitOpsClone.open(
        repository.url,
        repository.base_branch,
        repository.token,
        ca_pem=repository.ca_cert,
        interesting=tuple(dict.fromkeys(paths)),
    )


def store_settings(vault: VaultConnection, served_versions: tuple[str, ...]) -> StoreSettings:
    """What goes into the SecretStore."""
    return StoreSettings(vault.server_for_clusters, vault.ca_for_clusters, served_versions)
