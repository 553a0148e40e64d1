"""The login itself, tried for real, and what its session may do."""

from __future__ import annotations

from pydantic import SecretStr

from runbook.diagnosis import (
    CauseNotFound,
    LoginNotTried,
    PolicyLacksRule,
    PolicyNotHandedOut,
    ReviewerJwtNotAccepted,
    SessionReadsTooMuch,
)
from runbook.diagnosis.examination import Findings, LoginTried
from runbook.errors import EnablementError
from runbook.names import SECRETS_MOUNT
from runbook.policies import role_policy
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Login, Refused, Vault
from tasks.diagnosis.starter import Starter, became_of
from tasks.diagnosis.vault import role_path

PROBE = "enablement-probe"
"""A secret's name that nobody uses: reading it answers 404 where reading is allowed, 403 where it is not."""

_REFUSED_BY_REVIEW = "403 permission denied"
"""What Vault answers when TokenReview failed, whatever the reason."""


def try_login(findings: Findings, vault: Vault, request: EnableRequest, starter: Starter) -> None:
    """Log in as the starter, look what the session may do, and revoke it."""
    question = f"Does {starter.account} log in?"
    if starter.token is None:
        findings.unknown(question, "Vault", f"not tried: {starter.why}", matters=False)
        findings.tried.append(LoginTried(starter.namespace, None, starter.why))
        return
    credentials: dict[str, str | SecretStr] = {"role": request.target.role, "jwt": starter.token}
    try:
        login = vault.log_in(request.target.mount, credentials)
    except EnablementError as error:
        why = f"{error.subject}: {error.answer}"
        findings.unknown(question, "Vault", why, matters=False)
        findings.tried.append(LoginTried(starter.namespace, None, why))
        return
    if isinstance(login, Refused):
        findings.refused(question, "Vault", str(login))
        findings.tried.append(LoginTried(starter.namespace, False, str(login)))
        return
    findings.right(question, "Vault", f"yes; policies: {', '.join(login.policies)}")
    findings.tried.append(LoginTried(starter.namespace, True, "200"))
    session = vault.as_session(login)
    try:
        _what_it_may(findings, session, request, starter, login)
    except EnablementError as error:
        findings.unknown(f"What may the session of {starter.account} read?", "Vault", str(error))
    finally:
        _end(findings, session, starter)


def _end(findings: Findings, session: Vault, starter: Starter) -> None:
    try:
        session.revoke_own_token()
    except EnablementError as error:
        # A batch token, one without the policy `default`, or one whose uses are counted.
        why = f"no, it ends by itself: {error.answer}"
        findings.unknown(f"Is the session of {starter.account} ended?", "Vault", why, matters=False)


def _what_it_may(
    findings: Findings, session: Vault, request: EnableRequest, starter: Starter, login: Login
) -> None:
    target, policy = request.target, role_policy(request)
    if policy not in login.policies:
        cause = PolicyNotHandedOut(role_path(request), policy, login.policies)
        if not any(isinstance(fault, PolicyNotHandedOut) for fault in findings.faults):
            findings.wrong(f"Does the session of {starter.account} carry {policy}?", cause, starter.namespace)
    own = f"{SECRETS_MOUNT}/data/{target.env}/{target.name}/{PROBE}"
    others = [f"{SECRETS_MOUNT}/data/not-{target.env}/{PROBE}"]
    if request.policy_scope == "cluster":
        others.append(f"{SECRETS_MOUNT}/data/{target.env}/not-{target.name}/{PROBE}")
    question = f"May {starter.account} read its secrets?"
    if session.look(own).status in {200, 404}:
        findings.right(question, "Vault", own)
    else:
        findings.wrong(question, PolicyLacksRule(policy, own), starter.namespace)
    for path in others:
        question = f"Is {starter.account} refused {path}?"
        if session.look(path).status == 403:
            findings.right(question, "Vault", "403")
        else:
            findings.wrong(
                question, SessionReadsTooMuch(starter.account, path, login.policies), starter.namespace
            )


def explain_the_rest(
    findings: Findings,
    openshift: OpenShift,
    request: EnableRequest,
    starter: Starter,
    tried: LoginTried,
    record: str,
) -> None:
    """What to say of a login that failed although nothing that was looked at is wrong."""
    if tried.works or findings.suspects(tried.namespace):
        return
    question = f"Why is {starter.account} refused?"
    if tried.works is None:
        findings.wrong(question, LoginNotTried(starter.account, tried.words), tried.namespace)
        return
    cause = became_of(findings, openshift, request, starter)
    if cause is not None:
        findings.wrong(question, cause, tried.namespace)
    elif findings.not_known or tried.words != _REFUSED_BY_REVIEW:
        words = f"is refused with {tried.words}"
        cause = CauseNotFound(starter.account, words, tuple(findings.not_known))
        findings.wrong(question, cause, tried.namespace)
    else:
        findings.wrong(question, ReviewerJwtNotAccepted(request.target.mount, record), tried.namespace)
