"""Whether the cluster that a run is for has another cluster's mount in Vault already.

A Vault may have hundreds of mounts of clusters, of which most policies let a run read none but its own. So
the configs are read that may be, and each once a run, in its first execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from prefect.artifacts import Artifact
from prefect.runtime import flow_run

from change.artifacts import DATA, artifact_key, content, published
from runbook.changes import Change
from runbook.checks import Check
from runbook.commands import the_policy
from runbook.errors import AccessDenied, Conflict
from runbook.hosts import ApiServer, same_api_server, without_credentials
from runbook.objects import Seen
from runbook.request import ClusterRequest
from runbook.vault_answers import MountInVault
from systems.vault import Vault

OTHER_MOUNTS = "No other mount has this API server"

_KIND = "compared-mounts"
_NAMED = 5
"""Of the configs that may not be read, those that the row names."""


def other_mounts(
    vault: Vault, request: ClusterRequest, seen: Seen, changes: Sequence[Change], namespace: str | None
) -> str | Check:
    """The row on other clusters' mounts.

    Args:
        vault: where the mounts are.
        request: the run's parameters.
        seen: the auth mounts, what our record says, and the cluster's API, as our mount will lead to it.
        changes: what the run will do in Vault.
        namespace: of Vault, for the remedy.

    Raises:
        Conflict: another mount has the host that we would write: the connection is that cluster.
    """
    api = seen.api
    if api is None:
        return Check(OTHER_MOUNTS, "not checked", "the cluster's address is not known")
    configs = [f"auth/{path}/config" for path in _others(request, seen.auth_mounts)]
    if not configs:
        return api.host
    if _leads_there(request, changes) and seen.configured_before():
        return f"{api.host}, to which a run of ours has led {request.target.mount}"
    may = vault.capabilities(configs)
    unread = [path for path in configs if not may[path] & {"read", "root"}]
    before = _compared(request, vault.http.place, api.host)
    left = [path for path in configs if path not in before and path not in unread]
    elsewhere = []
    for path in left:
        try:
            if _leads_elsewhere(vault, path, request, api):
                elsewhere.append(path)
        except AccessDenied:  # a policy may refuse more than its capabilities tell
            unread.append(path)
    if elsewhere:
        _keep(request, vault.http.place, api.host, elsewhere)
    if unread:
        more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
        return Check(
            OTHER_MOUNTS,
            "not checked",
            f"our token may not read {', '.join(unread[:_NAMED])}{more}",
            f"To have this checked, give it {the_policy(request, 'other-mounts', namespace=namespace)}.",
        )
    return f"{api.host}, as compared when the run began" if before and not left else api.host


def _others(request: ClusterRequest, auth_mounts: Mapping[str, MountInVault]) -> list[str]:
    target = request.target
    return [
        path
        for path, mount in auth_mounts.items()
        if mount.type == "kubernetes" and target.is_mount_of_a_cluster(path) and path != target.mount
    ]


def _leads_there(request: ClusterRequest, changes: Sequence[Change]) -> bool:
    """Whether our mount has the host already, so that the run does not change where it leads."""
    ours = [one for one in changes if one.object == f"auth/{request.target.mount}/config"]
    fields = {part.field for one in ours for part in one.differences}
    return bool(ours) and "kubernetes_host" not in fields


def _leads_elsewhere(vault: Vault, path: str, request: ClusterRequest, api: ApiServer) -> bool:
    """Whether a mount has another host. One that has none yet may get ours while the run waits."""
    mount = path.removeprefix("auth/").removesuffix("/config")
    host = str((vault.kubernetes_config(mount) or {}).get("kubernetes_host", ""))
    if same_api_server(host, api.host):
        raise Conflict(
            "Vault",
            path,
            f"has the API server {without_credentials(host)} already",
            f"Check that the ClusterConnection {request.cluster_connection!r} is {request.target} and "
            f"not the cluster of {mount}.",
        )
    return bool(host)


def _compared(request: ClusterRequest, place: str, host: str) -> frozenset[str]:
    """The configs that an earlier execution of this run has found to lead elsewhere than to ``host``."""
    if not flow_run.id:
        return frozenset()
    kept = published(artifact_key(_KIND, request.subject), run=UUID(flow_run.id), types=(DATA,))
    rows = (content(one) for one in kept)
    return frozenset(
        path for row in rows if (row["vault"], row["host"]) == (place, host) for path in row["configs"]
    )


def _keep(request: ClusterRequest, place: str, host: str, configs: Sequence[str]) -> None:
    if flow_run.id:
        Artifact(
            type=DATA,
            key=artifact_key(_KIND, request.subject),
            description=f"Configs of other clusters' mounts that do not lead to {host}.",
            data={"vault": place, "host": host, "configs": list(configs)},
        ).create()
