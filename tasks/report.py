"""Step: publish what was found, changed, proved and not proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from runbook.report import report
from runbook.request import EnableRequest
from tasks.artifacts import artifact_key
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
    text = report(request, proposal, merged, steps, verified["proofs"], synced["served_versions"])
    create_markdown_artifact(
        markdown=text,
        key=artifact_key("report", request.target),
        description=f"What enabling {request.target} found, changed and proved.",
    )
    get_run_logger().info("%s is enabled; see the report artifact.", request.target)
    return text
