"""Step: find out everything that can be known before the first change, and publish the plan.

All failures are reported at once: whoever sets up a cluster should not learn of them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.changes import Change
from runbook.checks import Check
from runbook.errors import EnablementError, PrerequisiteMissing, TransientError
from runbook.gitops import FileEdit, check_repository, declared_namespaces, wanted_edits
from runbook.plan import Plan, PlannedFile, vault_section
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from tasks import connect
from tasks.artifacts import artifact_key
from tasks.auth_config import ApiServer
from tasks.preflight import openshift as ask_openshift
from tasks.preflight import vault as ask_vault
from tasks.repository import clone, store_settings
from tasks.step import look
from tasks.wait_until_synced import SECRET_STORE_CRD

T = TypeVar("T")


@dataclass(slots=True)
class Findings:
    """What preflight has found so far."""

    rows: list[Check] = field(default_factory=list)
    edits: tuple[FileEdit, ...] = ()
    changes: list[Change] = field(default_factory=list)
    declared: frozenset[str] = frozenset()
    served_versions: tuple[str, ...] = ()
    transient: TransientError | None = None

    def ask(self, what: str, question: Callable[[], T]) -> T | None:
        """Ask something; a permanent error becomes a failed row, and the other questions are still asked."""
        try:
            return question()
        except TransientError as error:
            self.rows.append(Check(what, "failed", f"{error.subject}: {error.answer}", error.remedy))
            self.transient = self.transient or error
        except EnablementError as error:
            self.rows.append(Check(what, "failed", f"{error.subject}: {error.answer}", error.remedy))
        return None


@dataclass(frozen=True, slots=True)
class Connections:
    """The three connections of a run."""

    vault: VaultConnection
    repository: GitOpsRepository
    cluster: ClusterConnection


def investigate(connections: Connections, request: EnableRequest) -> Findings:
    """Ask cluster, repository and Vault; change nothing."""
    findings = Findings()
    openshift = findings.ask("The kubeconfig can be used", connections.cluster.client)
    with openshift or nullcontext():
        _investigate(findings, connections, request, openshift)
    return findings


def _investigate(
    findings: Findings, connections: Connections, request: EnableRequest, openshift: OpenShift | None
) -> None:
    api: ApiServer | None = None
    if openshift:
        seen = findings.ask(
            "The API certificate is right for Vault", lambda: connections.cluster.as_vault_sees_it(openshift)
        )
        api = ApiServer(*seen) if seen else None
        findings.served_versions = (
            findings.ask(
                "The SecretStore CRD can be read", lambda: openshift.served_versions(SECRET_STORE_CRD)
            )
            or ()
        )
    findings.ask("The repository can be read", lambda: _repository(findings, connections, request))
    if openshift and api:
        _cluster(findings, openshift, request, api)
    findings.ask("Vault is reachable", lambda: _vault(findings, connections.vault, request, api))


def _repository(findings: Findings, connections: Connections, request: EnableRequest) -> None:
    repository = connections.repository
    access = repository.github().access()
    if not (access.can_push or repository.fork):
        findings.rows.append(
            Check(
                "We may propose a change",
                "failed",
                f"{repository.repository}: our token may not push",
                "Give the token write access, or set `fork` in the GitOpsRepository.",
            )
        )
    else:
        findings.rows.append(Check("We may propose a change", "ok", repository.repository))
    with clone(repository) as base:
        findings.rows.append(
            Check("The repository can be read", "ok", f"{repository.base_branch} at {base.base_commit[:12]}")
        )
        rows = check_repository(base.tree, request, repository.layout)
        findings.rows += rows
        findings.declared = declared_namespaces(base.tree, request, repository.layout)
        if not any(row.status == "failed" for row in rows):
            settings = store_settings(connections.vault, findings.served_versions)
            findings.edits = wanted_edits(base.tree, request, repository.layout, settings)


def _cluster(findings: Findings, openshift: OpenShift, request: EnableRequest, api: ApiServer) -> None:
    rows = findings.ask(
        "The cluster's API is reachable",
        lambda: ask_openshift.cluster_rows(openshift, request, api, findings.declared),
    )
    findings.rows += rows or []


def _vault(
    findings: Findings, connection: VaultConnection, request: EnableRequest, api: ApiServer | None
) -> None:
    rows, worth_asking = ask_vault.reachable(connection)
    findings.rows += rows
    if not worth_asking:
        return
    with connection.client() as vault:
        token = ask_vault.token_row(vault)
        findings.rows.append(token)
        if token.status == "failed":
            return
        rights = ask_vault.rights_row(vault, request)
        findings.rows.append(rights)
        if rights.status == "failed":
            return
        auth_mounts = vault.auth_mounts()
        findings.rows += ask_vault.mount_rows(vault.secret_mounts(), auth_mounts)
        if api:
            findings.rows.append(ask_vault.other_mounts_row(vault, request, auth_mounts, api))
        changes, rows = ask_vault.planned_changes(vault, request, auth_mounts, api)
        findings.changes = changes
        findings.rows += rows


def publish(request: EnableRequest, plan: Plan, rows: Sequence[Check]) -> None:
    """Publish table and plan as artifacts of the run."""
    create_table_artifact(
        table=[
            {
                "prerequisite": row.prerequisite,
                "status": {"ok": "✅ ok", "failed": "❌ failed", "warning": "⚠️ warning"}.get(
                    row.status, row.status
                ),
                "found": row.found,
                "what to do": row.remedy,
            }
            for row in rows
        ],
        key=artifact_key("preflight", request.target),
        description=f"What has to be there before {request.target} is enabled.",
    )
    create_markdown_artifact(
        markdown=plan.markdown(),
        key=artifact_key("plan", request.target),
        description=f"Everything that enabling {request.target} will change.",
    )


@look("preflight")
def preflight(request: EnableRequest) -> dict[str, Any]:
    """Ask everything, publish table and plan, and stop here if a prerequisite is missing.

    Returns:
        ``plan_sha256``, ``vault_changes`` (markdown) and ``served_versions`` of the SecretStore.

    Raises:
        TransientError: a system did not answer; asked again by Prefect.
        PrerequisiteMissing: naming every failed row.
    """
    logger = get_run_logger()
    connections = Connections(
        connect.vault_connection(request),
        connect.gitops_repository(request),
        connect.cluster_connection(request),
    )
    findings = investigate(connections, request)
    files = tuple(PlannedFile(edit.path, edit.diff()) for edit in findings.edits)
    plan = Plan(request.target, files, tuple(findings.changes))
    publish(request, plan, findings.rows)
    failed = [row for row in findings.rows if row.status == "failed"]
    for row in findings.rows:
        if row.status in {"warning", "failed"}:
            logger.warning("%s: %s: %s. %s", row.prerequisite, row.status, row.found, row.remedy)
    if findings.transient and len(failed) == 1:
        raise findings.transient
    if failed:
        raise PrerequisiteMissing(
            "Preflight",
            str(request.target),
            "; ".join(f"{row.prerequisite}: {row.found}" for row in failed),
            " ".join(dict.fromkeys(row.remedy for row in failed if row.remedy))
            + " Nothing was changed; the table artifact has all rows.",
        )
    logger.info("%d prerequisites checked; plan %s", len(findings.rows), plan.sha256[:12])
    return {
        "plan_sha256": plan.sha256,
        "vault_changes": vault_section(findings.changes),
        "served_versions": list(findings.served_versions),
    }
