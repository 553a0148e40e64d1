"""Step: publish what was found, changed, proved and not proved."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from change.artifacts import artifact_key
from change.records import written_to_vault
from change.results import Landing, Proposed
from change.step import Outcome, look
from runbook.plan import changes_of
from runbook.report import Proof, headline, report
from runbook.request import ClusterRequest
from tasks import connect
from tasks.reviewer_record import find_record


@look("publish the report")
def publish_report(
    request: ClusterRequest,
    proposal: Proposed,
    landing: Landing,
    served_versions: tuple[str, ...],
    steps: Sequence[Outcome],
    proofs: tuple[Proof, ...],
) -> str:
    """Publish the report as a markdown artifact and return its text.

    Args:
        request: the run's parameters.
        proposal: what was proposed.
        landing: how it came to the base branch.
        served_versions: of the SecretStore on the cluster.
        steps: results of the steps that write to Vault, in their order.
        proofs: what was tried.
    """
    with connect.vault(request) as vault:
        audit_devices = vault.audit_devices()
    if audit_devices == ():
        get_run_logger().warning("Vault has no audit device: nothing that is done in it is written down.")
    reviewer = find_record(request)
    text = report(
        request,
        f"[#{proposal.number}]({proposal.url})" if proposal.url else "",
        landing.commit,
        [change for step in steps for change in changes_of(step)],
        proofs,
        served_versions,
        audit_devices,
        written_to_vault(request, UUID(flow_run.id)),
        reviewer if reviewer and reviewer.flow_run == flow_run.id else None,
        str(flow_run.id),
    )
    create_markdown_artifact(
        markdown=text,
        key=artifact_key("report", request.subject),
        description=f"What enabling {request.subject} found, changed and proved.",
    )
    get_run_logger().info("%s. See the report.", headline(request, proofs))
    return text
