"""What the steps around the pull request share: the clone, and what is still missing on the base branch."""

from __future__ import annotations

from connections import GitOpsRepository, VaultConnection
from runbook.gitops import StoreSettings, interesting_folders
from systems.gitops import GitOpsClone


def clone(repository: GitOpsRepository) -> GitOpsClone:
    """A shallow clone of the base branch's head, to use in a ``with`` block."""
    return GitOpsClone.open(
        repository.url,
        repository.base_branch,
        repository.token,
        ca_pem=repository.ca_cert,
        interesting=interesting_folders(repository.layout),
    )


def store_settings(vault: VaultConnection, served_versions: tuple[str, ...]) -> StoreSettings:
    """What goes into the SecretStore."""
    return StoreSettings(vault.server_for_clusters, vault.ca_for_clusters, served_versions)
