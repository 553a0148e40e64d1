"""Our record of the reviewer's token: kept as an artifact when it is written, found again later.

Vault does not give the token back. What was kept of it tells later whether it has ended, whether its
ServiceAccount is still the same, and whether somebody has written another one since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.runtime import flow_run

from runbook.diagnosis.record import ReviewerRecord
from runbook.request import EnableRequest
from tasks.artifacts import artifact_key

_RECENT = 20
"""Records to look through: those of other Vaults stand under the same key."""


def keep_record(request: EnableRequest, record: Mapping[str, str]) -> None:
    """Publish what may be kept of the token that was written."""
    kept = {
        **record,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "vault": request.vault,
        "flow_run": str(flow_run.id or ""),
    }
    create_table_artifact(
        table=[kept],
        key=artifact_key("reviewer", request.target),
        description=f"What was kept of the reviewer's token when it was written for {request.target}.",
    )


def find_record(request: EnableRequest) -> ReviewerRecord | None:
    """The latest record for the cluster in this Vault; None if no run has left one."""
    key = artifact_key("reviewer", request.target)
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate({"key": {"any_": [key]}}),
            sort=ArtifactSort.CREATED_DESC,
            limit=_RECENT,
        )
    for artifact in found:
        rows = json.loads(artifact.data) if isinstance(artifact.data, str) else artifact.data
        if isinstance(rows, list) and rows and rows[0].get("vault") == request.vault:
            return ReviewerRecord.read(rows[0])
    return None
