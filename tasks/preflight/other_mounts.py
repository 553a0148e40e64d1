"""Whether the cluster that a run is for has another cluster's mount in Vault already."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.checks import Check
from runbook.commands import the_policy
from runbook.errors import AccessDenied, Conflict
from runbook.hosts import ApiServer, same_api_server, without_credentials
from runbook.request import ClusterRequest
from runbook.vault_answers import MountInVault
from systems.vault import Vault


def other_mounts(
    row: str,
    vault: Vault,
    request: ClusterRequest,
    auth_mounts: Mapping[str, MountInVault],
    api: ApiServer,
    namespace: str | None,
) -> str | Check:
    """The row on other clusters' mounts.

    Raises:
        Conflict: another mount has the host that we would write: the connection is that cluster.
    """
    unread, target = [], request.target
    for path, mount in auth_mounts.items():
        if mount.type != "kubernetes" or not target.is_mount_of_a_cluster(path) or path == target.mount:
            continue
        try:
            config = vault.kubernetes_config(path)
        except AccessDenied:
            unread.append(f"auth/{path}/config")
            continue
        host = str((config or {}).get("kubernetes_host", ""))
        if same_api_server(host, api.host):
            raise Conflict(
                "Vault",
                f"auth/{path}/config",
                f"has the API server {without_credentials(host)} already",
                f"Check that the ClusterConnection {request.cluster_connection!r} is {request.target} and "
                f"not the cluster of {path}.",
            )
    if unread:
        return Check(
            row,
            "not checked",
            f"our token may not read {', '.join(unread)}",
            f"To have this checked, give it {the_policy(request, 'other-mounts', namespace=namespace)}.",
        )
    return api.host
