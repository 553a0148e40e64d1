"""Step: publish what was found, changed, proved and not proved."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import get_run_logger
from prefect.runtime import flow_run

from change.artifacts import show
from change.records import show_records, written_to_vault
from change.results import Landing
from change.step import Outcome, step
from runbook.foreign_text import markdown
from runbook.plan import changes_of
from runbook.report import Proof, headline, report
from runbook.request import ClusterRequest
from tasks import connect
from tasks.reviewer_record import find_record


@step("publish the report")
def publish_report(
    request: ClusterRequest,
    landing: Landing,
    served_versions: tuple[str, ...],
    steps: Sequence[Outcome],
    proofs: tuple[Proof, ...],
) -> str:
    """Publish the report as a markdown artifact and return its text.

    Args:
        request: the run's parameters.
        landing: how the change came to the base branch.
        served_versions: of the SecretStore on the cluster.
        steps: results of the steps that write to Vault, in their order.
        proofs: what was tried.
    """
    with connect.vault(request) as vault:
        audit_devices = vault.audit_devices()
    if audit_devices == ():
        get_run_logger().warning("Vault has no audit device: it does not record what is done in it.")
    reviewer = find_record(request)
    text = report(
        request,
        f"The change came by {landing.how}, by {markdown(landing.by or 'somebody')}" if landing.how else "",
        landing.commit,
        [change for step in steps for change in changes_of(step)],
        proofs,
        served_versions,
        audit_devices,
        written_to_vault(request, UUID(flow_run.id)),
        reviewer if reviewer and reviewer.flow_run == flow_run.id else None,
        str(flow_run.id),
    )
    show_records(request)
    words = f"What enabling {request.subject} found, changed and proved."
    show("report", request.subject, text, words, on_top=True)
    get_run_logger().info("%s. See the report.", headline(request, proofs))
    return text
