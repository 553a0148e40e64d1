"""Prefect Blocks: where each system is and as whom we log in. They hand out the clients of `systems`."""

from connections.cluster import ClusterConnection
from connections.conventions import RunbookConventions
from connections.gitops import GitOpsRepository
from connections.vault import VaultConnection

__all__ = ["ClusterConnection", "GitOpsRepository", "RunbookConventions", "VaultConnection"]
