"""Step: find out everything that can be known before the first change, and publish the plan.

All failures are reported at once: whoever sets up a cluster should not learn of them one by one.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from prefect import get_run_logger

from change.artifacts import show
from change.plans import publish_plan
from change.results import Checked
from change.step import step
from change.table import Table
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.checks import counted, page
from runbook.names import connection_name
from runbook.plan import Plan, PlannedFile, to_approve
from runbook.request import ClusterRequest
from tasks import connect
from tasks.preflight.findings import Findings
from tasks.preflight.openshift import ask_cluster, ask_namespaces, identity, namespace_row
from tasks.preflight.other_mounts import OTHER_MOUNTS
from tasks.preflight.repository import ask_repository
from tasks.preflight.vault import CAPABILITIES, PINS, ask_vault
from tasks.runbooks import ClusterRunbook


@dataclass(frozen=True, slots=True)
class Connections:
    """The three connections of a run; None for one that could not be loaded."""

    vault: VaultConnection | None
    repository: GitOpsRepository | None
    cluster: ClusterConnection | None


def load(request: ClusterRequest) -> tuple[Table, Connections]:
    """Load the connections that the run names, and say of each whether it is there."""
    table = Table("input")
    prerequisites = (
        f"VaultConnection {request.vault}",
        f"GitOpsRepository {request.gitops}",
        f"ClusterConnection {request.cluster_connection}",
    )
    vault, repository, cluster = prerequisites
    connections = Connections(
        table.get(vault, lambda: connect.vault_connection(request)),
        table.get(repository, lambda: connect.gitops_repository(request)),
        table.get(cluster, lambda: connect.cluster_connection(request)),
    )
    for prerequisite in prerequisites:
        if prerequisite not in table.errors:
            table.ok(prerequisite, "is there")
    return table, connections


def investigate(runbook: ClusterRunbook, connections: Connections, request: ClusterRequest) -> Findings:
    """Ask cluster, repository and Vault, each whatever the others answer; change nothing."""
    with ExitStack() as stack:
        cluster = ask_cluster(connections.cluster, request, stack)
        repository = ask_repository(
            runbook, connections.repository, connections.vault, request, cluster.served_versions
        )
        ask_namespaces(cluster, request, repository.declared)
    vault, changes = ask_vault(connections.vault, request, cluster.api, repository.stores)
    return Findings(
        (vault, cluster.table, *repository.tables),
        repository.edits or (),
        changes,
        cluster.served_versions,
        repository.applications,
        repository.signs,
        frozenset() if repository.is_known else _of_the_name(request),
    )


def _of_the_name(request: ClusterRequest) -> frozenset[str]:
    """The rows that fail, whatever is there, where the cluster's name is a mistake."""
    return frozenset(
        {
            f"ClusterConnection {connection_name(request.cluster)}",
            CAPABILITIES,
            PINS,
            OTHER_MOUNTS,
            identity(request),
            f"ArgoCD Applications of {request.target}",
            *(one.row for one in request.objects),
            *map(namespace_row, request.needed_namespaces),
        }
    )


@step("preflight")
def preflight(runbook: ClusterRunbook, request: ClusterRequest) -> Checked:
    """Ask everything, publish table and plan, and stop here if a prerequisite is missing.

    Raises:
        TransientError: systems did not answer, and nothing else is wrong; asked again by Prefect.
        PermanentError: naming every prerequisite that is not met.
    """
    logger = get_run_logger()
    loaded, connections = load(request)
    found = investigate(runbook, connections, request)
    findings = replace(found, tables=(loaded, *found.tables))
    rows = findings.rows
    words = f"{counted(rows)}: what has to be there before {request.subject} is enabled."
    show("preflight", request.subject, page(rows), words)
    for row in rows:
        # One that fails alone is what the run ends with.
        if row.status == "warning" or (row.status == "failed" and len(findings.errors) > 1):
            logger.warning("%s, %s: %s. %s", row.system, row.prerequisite, row.found, row.remedy)
    error = findings.error()
    if error is not None:
        # No plan: what could not be read would be missing from it.
        raise error
    files = tuple(PlannedFile(edit.path, edit.diff()) for edit in findings.edits)
    plan = Plan(str(request.subject), files, findings.changes)
    publish_plan(request.subject, plan)
    logger.info("%d prerequisites checked; plan %s", len(rows), plan.sha256[:12])
    return Checked(
        plan.sha256,
        to_approve(plan.changes),
        findings.served_versions,
        findings.applications,
        findings.signs,
    )
