"""What the diagnosis asks of each starter ServiceAccount: is it there, its token, is it bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from runbook.bound_names import is_bound
from runbook.diagnosis.cause import Cause, listed
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.claims import Claims, claims_of
from runbook.diagnosis.examination import Findings, NotKnown, Verdict, said
from runbook.errors import EnablementError
from tasks.diagnosis.asking import Asked
from tasks.diagnosis.vault import VaultAnswers
from tasks.starter_login import starter_token

CLOCK_SKEW = timedelta(seconds=60)
"""What Vault forgives at ``exp`` and ``nbf``."""


@dataclass(frozen=True, slots=True)
class Starter:
    """The starter ServiceAccount of one namespace; ``why`` there is no token."""

    namespace: str
    account: str
    token: SecretStr | None = None
    claims: Claims | None = None
    why: str = ""


def ask_starter(findings: Findings, asked: Asked, vault: VaultAnswers, namespace: str) -> Starter:
    """The starter of a namespace, a new token of it, and what the role says of both."""
    openshift, name = asked.openshift, asked.request.service_account
    account = f"{namespace}/{name}"

    def is_there() -> Verdict:
        if not openshift.namespace_exists(namespace):
            return Causes.NAMESPACE_MISSING.of(namespace=namespace)
        uid = openshift.service_account_uid(namespace, name)
        return Causes.STARTER_MISSING.of(account=account) if uid is None else f"uid {uid}"

    question = f"Is ServiceAccount {account} there?"
    _, there = findings.ask(question, "OpenShift", is_there, lambda verdict: verdict, namespace=namespace)
    if there == "wrong":
        return Starter(namespace, account, why="there is no such ServiceAccount")
    # A token is asked for even where we may not look at the ServiceAccount.
    try:
        token = starter_token(openshift, asked.request, namespace)
    except EnablementError as error:
        findings.say(f"Does the cluster issue a token of {account}?", NotKnown(said(error)), "OpenShift")
        return Starter(namespace, account, why=said(error))
    starter = Starter(namespace, account, token, claims_of(token))
    if starter.claims is not None:
        _token(findings, starter, starter.claims, vault)
    if vault.role is not None:
        _audience(findings, asked, starter, vault.role)
        _bound(findings, asked, starter, vault.role)
    return starter


def _token(findings: Findings, starter: Starter, claims: Claims, vault: VaultAnswers) -> None:
    question = f"Is the token of {starter.account} valid now?"
    # The difference of two moments always is one; a moment near the calendar's end plus a minute is none.
    if claims.expires and vault.clock and vault.clock - claims.expires > CLOCK_SKEW:
        expired = Causes.CLIENT_TOKEN_EXPIRED.of(
            account=starter.account,
            ended=f"{claims.expires:%Y-%m-%d %H:%M:%S}",
            vault_clock=f"{vault.clock:%Y-%m-%d %H:%M:%S}",
        )
        findings.say(question, expired, namespace=starter.namespace)
    else:
        until = f"until {claims.expires:%Y-%m-%d %H:%M} UTC" if claims.expires else "without an expiry"
        findings.say(question, until, "OpenShift")


def became_of(findings: Findings, asked: Asked, starter: Starter) -> Cause | None:
    """Asked where a new token is refused: what has become of its ServiceAccount since it was issued.

    None if it is still the same, or if that is not known, which is a row then.
    """
    if starter.claims is None or not starter.claims.uid:
        return None
    issued_to = starter.claims.uid
    uid, mark = findings.ask(
        f"Is {starter.account} still the ServiceAccount that its token was issued for?",
        "OpenShift",
        lambda: asked.openshift.service_account_uid(starter.namespace, asked.request.service_account),
        lambda uid: f"uid {uid}" if uid == issued_to else None,
    )
    if mark == "not known" or uid == issued_to:
        return None
    if uid is None:
        return Causes.STARTER_MISSING.of(account=starter.account)
    return Causes.STARTER_REMADE.of(account=starter.account, token_uid=issued_to, uid=uid)


def _audience(findings: Findings, asked: Asked, starter: Starter, role: Mapping[str, Any]) -> None:
    audience = str(role.get("audience") or "")
    held = starter.claims.audiences if starter.claims else ()
    question = f"Does the role accept the audience of the token of {starter.account}?"
    if not audience or audience in held:
        findings.say(question, f"audience: {audience or 'any'}", "Vault")
        return
    cause = Causes.AUDIENCE_NOT_IN_TOKEN.of(
        role=asked.role, audience=audience, token_audiences=listed(held, "no audience")
    )
    findings.say(question, cause, namespace=starter.namespace)


def _bound(findings: Findings, asked: Asked, starter: Starter, role: Mapping[str, Any]) -> None:
    question = f"Does the role bind {starter.account}?"
    name, namespace = asked.request.service_account, starter.namespace
    names = tuple(role.get("bound_service_account_names") or ())
    namespaces = tuple(role.get("bound_service_account_namespaces") or ())
    name_is_bound = is_bound(name, names)
    if not name_is_bound:
        same = next((one for one in names if one.lower() == name.lower()), "")
        but = f" ({same} differs in case)" if same else ""
        cause = Causes.NAME_NOT_BOUND.of(role=asked.role, name=name, bound=f"{listed(names, 'none')}{but}")
        findings.say(question, cause, namespace=namespace)
    if is_bound(namespace, namespaces):
        if name_is_bound:
            findings.say(question, "yes", "Vault")
    elif role.get("bound_service_account_namespace_selector"):
        findings.say(question, NotKnown("the role binds namespaces by label, which is not checked"), "Vault")
    else:
        bound = listed(namespaces, "none")
        cause = Causes.NAMESPACE_NOT_BOUND.of(role=asked.role, namespace=namespace, bound=bound)
        findings.say(question, cause, namespace=namespace)
