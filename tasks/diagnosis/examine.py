"""All questions, in the order in which Vault meets the answers at a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.diagnosis.examination import Examination, Findings
from runbook.diagnosis.record import ReviewerRecord, words_of
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks.diagnosis.login import explain_the_rest, try_login
from tasks.diagnosis.reviewer import ask_reviewer, review_as_vault
from tasks.diagnosis.starter import ask_starter
from tasks.diagnosis.store import ask_stores
from tasks.diagnosis.vault import ask_policies, ask_vault
from tasks.diagnosis.way import ask_the_way


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the diagnosis asks: Vault with the pipeline's own token, the cluster with its own account.

    Attributes:
        patience: seconds for one connection to the host of Vault's config.
    """

    vault: Vault
    openshift: OpenShift
    patience: float = 10


def examine(asked: Asked, request: EnableRequest, record: ReviewerRecord | None = None) -> Examination:
    """Find out why the login does not work, or prove that it does. Changes nothing; raises nothing.

    Args:
        asked: the systems.
        request: whose login.
        record: what we kept of the reviewer's token.
    """
    findings = Findings()
    vault = ask_vault(findings, asked.vault, request)
    starters = [
        ask_starter(findings, asked.openshift, request, vault, namespace) for namespace in request.namespaces
    ]
    api = None
    if vault.config is not None:
        api = ask_the_way(findings, request, vault.config, asked.patience)
    with_token = next((starter for starter in starters if starter.token), None)
    ours = with_token.claims if with_token else None
    reviewer = ask_reviewer(findings, asked.openshift, request, ours)
    for starter in starters:
        if api and reviewer.token:
            review_as_vault(findings, asked.openshift, request, api, reviewer.token, starter)
    ask_policies(findings, asked.vault, request, vault)
    if vault.answers:
        for starter in starters:
            try_login(findings, asked.vault, request, starter)
    said = words_of(record, datetime.now(UTC), reviewer.uid, reviewer.sha256)
    for starter, tried in zip(starters, list(findings.tried), strict=False):
        explain_the_rest(findings, asked.openshift, request, starter, tried, said)
    ask_stores(findings, asked.openshift, request.namespaces)
    return findings.conclude()
