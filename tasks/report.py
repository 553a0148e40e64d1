"""Step: publish what was found, changed, proved and not proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from runbook.report import report
from runbook.request import EnableRequest
from tasks import connect
from tasks.artifacts import artifact_key
from tasks.records import unconfirmed_in_vault
from tasks.step import look


@look("publish the report")
def publish_report(
    request: EnableRequest,
    proposal: dict[str, Any],
    merged: dict[str, Any],
    synced: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    verified: dict[str, Any],
) -> str:
    """Publish the report as a markdown artifact and return its text."""
    with connect.vault(request) as vault:
        audit_devices = vault.audit_devices()
    if audit_devices == ():
        get_run_logger().warning("Vault has no audit device: nothing that is done in it is written down.")
    text = report(
        request,
        proposal,
        merged,
        steps,
        verified["proofs"],
        synced["served_versions"],
        audit_devices,
        unconfirmed_in_vault(request, UUID(flow_run.id)),
        str(flow_run.id),
    )
    create_markdown_artifact(
        markdown=text,
        key=artifact_key("report", request.target),
        description=f"What enabling {request.target} found, changed and proved.",
    )
    get_run_logger().info("%s is enabled; see the report artifact.", request.target)
    return text
