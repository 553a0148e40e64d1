"""Step: find out why the login does not work, and publish everything that was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger

from change.artifacts import show
from change.step import step
from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.diagnosis.examination import Examination, Findings, Mark
from runbook.diagnosis.record import ReviewerRecord
from runbook.errors import VerificationFailed
from runbook.foreign_text import markdown, plain
from runbook.request import ClusterRequest, EnableRequest
from tasks import connect
from tasks.diagnosis.asking import Asked
from tasks.diagnosis.login import explain_the_rest, try_login
from tasks.diagnosis.reviewer import ask_reviewer, review_as_vault
from tasks.diagnosis.starter import ask_starter
from tasks.diagnosis.store import ask_store
from tasks.diagnosis.vault import ask_policies, ask_vault
from tasks.diagnosis.way import ask_the_way
from tasks.last_mode import as_enabled
from tasks.reviewer_record import find_record

_MARKS: dict[Mark, str] = {"wrong": "❌ wrong", "not known": "❔ not known", "right": "✅ right"}
"""In the order in which people need them."""


@contextmanager
def asked(request: ClusterRequest, applications: ApplicationNames = IN_WORDS) -> Iterator[Asked]:
    """The systems of a run, and where its tokens may go; ``applications`` as preflight found them.

    Raises:
        PrerequisiteMissing: the ClusterConnection has no CA for Vault.
    """
    connection = connect.cluster_connection(request)
    with connection.client() as openshift, connect.vault(request) as vault:
        api = connection.as_vault_sees_it(openshift, request.conventions.reviewer_ca)
        store = connect.store(request, connect.vault_connection(request))
        yield Asked(request, vault, openshift, api, store, applications=applications)


def examine(asked: Asked, record: ReviewerRecord | None = None, mode: str = "") -> Examination:
    """Find out why the login does not work, or prove that it does. Changes nothing; raises nothing.

    The questions are asked in the order in which Vault meets the answers at a login.

    Args:
        asked: the systems, and whose login.
        record: what we kept of the reviewer's token.
        mode: how the modes of the request are known, where they are not simply given.
    """
    findings, accounts = Findings(), asked.request.account_namespaces
    if mode:
        findings.say("In which mode was the cluster enabled?", mode, "Prefect")
    vault = ask_vault(findings, asked)
    starters = [ask_starter(findings, asked, vault, namespace) for namespace in accounts]
    way = vault.config is not None and ask_the_way(findings, asked, vault.config)
    with_token = next((starter for starter in starters if starter.token), None)
    reviewer = ask_reviewer(findings, asked, with_token.claims if with_token else None)
    for starter in starters:
        if way and reviewer.token:
            review_as_vault(findings, asked, reviewer.token, starter)
    ask_policies(findings, asked, vault)
    if vault.answers:
        for starter in starters:
            try_login(findings, asked, starter)
        for starter, tried in zip(starters, findings.tried, strict=True):
            explain_the_rest(findings, asked, starter, tried, reviewer, record)
    for namespace in asked.request.store_namespaces:
        ask_store(findings, asked, namespace)
    return findings.conclude(asked.applications)


def look_into(systems: Asked, *, mode: str = "") -> Examination:
    """Ask everything, publish it as a table, and log the one line; ``mode`` as of `examine`."""
    request = systems.request
    examination = examine(systems, find_record(request), mode)
    show("diagnosis", request.target, _page(examination), f"{request.target}: {markdown(examination.line)}")
    logger = get_run_logger()
    for cause in examination.causes:
        logger.warning("%s. %s", cause.line, plain(examination.remedy(cause)))
    return examination


def _page(examination: Examination) -> str:
    """Markdown: the causes and what to do, then each question, of those alike in the order of a login."""
    marks, order = [row.mark for row in examination.rows], list(_MARKS)
    count = ", ".join(f"{marks.count(mark)} {mark}" for mark in order if mark in marks)
    causes = (
        f"- **Cause:** {markdown(cause.line)}. **To do:** {markdown(examination.remedy(cause))}"
        for cause in examination.causes
    )
    rows = (
        f"- {_MARKS[row.mark]}: **{row.system}: {markdown(row.question)}** {markdown(row.answer)}"
        for row in sorted(examination.rows, key=lambda row: order.index(row.mark))
    )
    return "\n".join([f"**{count}**", "", *causes, "", *rows])


def failure(examination: Examination) -> VerificationFailed | None:
    """The error that says the cause; None if all is well."""
    if not examination.causes:
        return None
    cause = examination.causes[0]
    return VerificationFailed(
        cause.system, cause.subject, examination.answer(cause), examination.remedy(cause)
    )


@step("diagnose the login")
def diagnose_login(request: EnableRequest) -> str:
    """Prove the login, or find the cause. Writes nothing but the run's artifact.

    Returns:
        The one line, where all is well.

    Raises:
        VerificationFailed: the cause and its remedy.
    """
    request, mode = as_enabled(request)
    with asked(request) as systems:
        examination = look_into(systems, mode=mode)
    error = failure(examination)
    if error is not None:
        raise error
    get_run_logger().info("%s: %s", request.target, examination.line)
    return examination.line
