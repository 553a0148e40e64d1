"""Our record of the reviewer's token: kept as an artifact when it is written, found again later.

Vault does not give the token back. What was kept of it tells later whether it has ended, whether its
ServiceAccount is still the same, and whether somebody has written another one since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice

from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import Artifact as Kept
from prefect.runtime import flow_run

from change.artifacts import DATA, artifact_key, content, keep, published
from runbook.conventions import RUNBOOK
from runbook.diagnosis.record import ReviewerRecord
from runbook.hosts import same_api_server
from runbook.request import ClusterRequest
from runbook.templates import filled

_RECENT = 20
"""Reports to look through: those for other Vaults stand under the same key."""


def keep_record(request: ClusterRequest, record: Mapping[str, str], place: str) -> None:
    """Publish what may be kept of the token that was written."""
    kept = {
        **record,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "vault": request.vault,
        "vault_address": place,
        "cluster": str(request.target),
        "mount": request.target.mount,
        "flow_run": str(flow_run.id or ""),
    }
    artifact = Artifact(
        type=DATA,
        data=[kept],
        key=artifact_key("reviewer", request.target),
        description=f"What was kept of the reviewer's token when it was written for {request.target}.",
    )
    keep(artifact, "the write of the reviewer's token")


def find_record(request: ClusterRequest) -> ReviewerRecord | None:
    """The latest record for the cluster's mount in this Vault; None if no run has left one."""
    target = request.target
    # Older versions kept no name of the mount, which was the runbook's.
    before = filled(RUNBOOK.auth_mount, target.env, target.name)
    for artifact in published(artifact_key("reviewer", target)):
        rows = content(artifact)
        if not isinstance(rows, list) or not rows or rows[0].get("vault") != request.vault:
            continue
        record = ReviewerRecord.read(rows[0], proved=_is_proved(request, artifact))
        if record.cluster in {"", str(target)} and (record.mount or before) == target.mount:
            return record
    return None


def _is_proved(request: ClusterRequest, kept: Kept) -> bool:
    """Whether a run for this Vault has come to its report, after a proved login, since a record was kept."""
    reports = islice(published(artifact_key("report", request.target)), _RECENT)
    # Of several attempts of a run, the last has brought the report up to date.
    since = [one for one in reports if one.updated and kept.created and one.updated > kept.created]
    whose = {"id": {"any_": [one.flow_run_id for one in since if one.flow_run_id]}}
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(whose)) if since else []
    return any(run.parameters.get("vault", request.vault) == request.vault for run in runs)


def configured_before(request: ClusterRequest, place: str) -> bool:
    """Whether our record says that a run wrote the config of this very cluster's mount in this Vault.

    Args:
        request: the run's parameters.
        place: see `systems.vault_http.VaultHttp.place`.
    """
    record = find_record(request)
    if record is None:
        return False
    if not record.cluster:
        # A record of an older version. Keys of different clusters can be alike: a/b-c and a-b/c.
        return f"{request.env}-{request.cluster}".count("-") == 1
    return same_api_server(record.vault_address, place)
