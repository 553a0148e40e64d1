"""The connections of a cluster's runbook, opened for one step."""

from __future__ import annotations

from change.connect import connection, gitops_repository, vault_connection
from connections import ClusterConnection, VaultConnection
from runbook.commands import granting
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore
from systems.openshift import OpenShift
from systems.vault import Vault

__all__ = ["cluster_connection", "gitops_repository", "openshift", "store", "vault", "vault_connection"]


def cluster_connection(request: ClusterRequest) -> ClusterConnection:
    """The cluster of a run."""
    return connection(ClusterConnection, "cluster_connection", request.cluster_connection)


def vault(request: ClusterRequest) -> Vault:
    """Vault, logged in, to use in a ``with`` block."""
    connection = vault_connection(request)
    return connection.client(granting(request, connection.namespace_for_clusters))


def store(request: ClusterRequest, vault: VaultConnection) -> VaultStore:
    """The SecretStore that a run brings, as it reaches that Vault."""
    return VaultStore.meant(
        request, vault.server_for_clusters, vault.ca_for_clusters, vault.namespace_for_clusters
    )


def openshift(request: ClusterRequest) -> OpenShift:
    """The cluster's API."""
    return cluster_connection(request).client()
