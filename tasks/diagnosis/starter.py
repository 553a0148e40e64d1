"""What the diagnosis asks of each starter ServiceAccount: is it there, its token, is it bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from runbook.bound_names import is_bound
from runbook.diagnosis import (
    AudienceNotInToken,
    Cause,
    ClientTokenExpired,
    NameNotBound,
    NamespaceMissing,
    NamespaceNotBound,
    StarterMissing,
    StarterRemade,
)
from runbook.diagnosis.claims import Claims, claims_of
from runbook.diagnosis.examination import Findings
from runbook.errors import EnablementError
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from tasks.auth_config import SHORTEST_TOKEN
from tasks.diagnosis.asking import ask
from tasks.diagnosis.vault import VaultAnswers, role_path

CLOCK_SKEW = timedelta(seconds=60)
"""What Vault forgives at ``exp`` and ``nbf``."""


@dataclass(frozen=True, slots=True)
class Starter:
    """The starter ServiceAccount of one namespace; ``why`` there is no token."""

    namespace: str
    account: str
    token: SecretStr | None
    claims: Claims | None
    why: str = ""


def ask_starter(
    findings: Findings,
    openshift: OpenShift,
    request: EnableRequest,
    vault: VaultAnswers,
    namespace: str,
) -> Starter:
    """The starter of a namespace, a new token of it, and what the role says of both."""
    account = f"{namespace}/{request.service_account}"
    if not _is_there(findings, openshift, request, namespace):
        return Starter(namespace, account, None, None, "there is no such ServiceAccount")
    question = f"Does the cluster issue a token of {account}?"
    try:
        token = openshift.request_token(namespace, request.service_account, SHORTEST_TOKEN).token
    except EnablementError as error:
        findings.unknown(question, "OpenShift", f"{error.subject}: {error.answer}")
        return Starter(namespace, account, None, None, f"{error.subject}: {error.answer}")
    claims = claims_of(token)
    starter = Starter(namespace, account, token, claims)
    if claims is not None:
        _token(findings, starter, claims, vault)
    if vault.role is not None:
        _bound(findings, starter, request, vault.role)
    return starter


def _is_there(findings: Findings, openshift: OpenShift, request: EnableRequest, namespace: str) -> bool:
    """Whether to go on: a token is asked for even where we may not look at the ServiceAccount."""
    name = request.service_account
    account = f"{namespace}/{name}"
    question = f"Is ServiceAccount {account} there?"
    there = ask(findings, question, "OpenShift", lambda: openshift.namespace_exists(namespace))
    if there is None:
        return True
    if not there.value:
        findings.wrong(question, NamespaceMissing(namespace), namespace)
        return False
    known = ask(findings, question, "OpenShift", lambda: openshift.service_account_uid(namespace, name))
    if known is None:
        return True
    if known.value is None:
        findings.wrong(question, StarterMissing(account), namespace)
        return False
    findings.right(question, "OpenShift", f"uid {known.value}")
    return True


def _token(findings: Findings, starter: Starter, claims: Claims, vault: VaultAnswers) -> None:
    question = f"Is the token of {starter.account} of today?"
    # The difference of two moments always is one; a moment near the calendar's end plus a minute is none.
    if claims.expires and vault.clock and vault.clock - claims.expires > CLOCK_SKEW:
        expired = ClientTokenExpired(starter.account, claims.expires, vault.clock)
        findings.wrong(question, expired, starter.namespace)
    else:
        until = f"until {claims.expires:%Y-%m-%d %H:%M} UTC" if claims.expires else "without an end"
        findings.right(question, "OpenShift", until)


def became_of(
    findings: Findings, openshift: OpenShift, request: EnableRequest, starter: Starter
) -> Cause | None:
    """Asked where a new token is refused: what has become of its ServiceAccount since it was issued.

    None if it is still the same, or if that is not known, which is a row then.
    """
    if starter.claims is None or not starter.claims.uid:
        return None
    question = f"Is {starter.account} still the one that its token is of?"
    name = request.service_account
    known = ask(
        findings, question, "OpenShift", lambda: openshift.service_account_uid(starter.namespace, name)
    )
    if known is None:
        return None
    if known.value is None:
        return StarterMissing(starter.account)
    if known.value != starter.claims.uid:
        return StarterRemade(starter.account, starter.claims.uid, known.value)
    findings.right(question, "OpenShift", f"uid {known.value}")
    return None


def _bound(findings: Findings, starter: Starter, request: EnableRequest, role: Mapping[str, Any]) -> None:
    path, only = role_path(request), starter.namespace
    audience = str(role.get("audience") or "")
    held = starter.claims.audiences if starter.claims else ()
    question = f"Does the role want a token such as that of {starter.account}?"
    if audience and audience not in held:
        findings.wrong(question, AudienceNotInToken(path, audience, held), only)
    else:
        findings.right(question, "Vault", f"audience: {audience or 'any'}")
    question = f"Does the role bind {starter.account}?"
    names = tuple(role.get("bound_service_account_names") or ())
    namespaces = tuple(role.get("bound_service_account_namespaces") or ())
    name_is_bound = is_bound(request.service_account, names)
    if not name_is_bound:
        findings.wrong(question, NameNotBound(path, request.service_account, names), only)
    if is_bound(starter.namespace, namespaces):
        if name_is_bound:
            findings.right(question, "Vault", "yes")
    elif role.get("bound_service_account_namespace_selector"):
        findings.unknown(question, "Vault", "the namespace is bound by its labels, if at all")
    else:
        findings.wrong(question, NamespaceNotBound(path, starter.namespace, namespaces), only)
