"""The login itself, tried for real, and what its session may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runbook.diagnosis.cause import Cause, listed
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Findings, LoginTried, NotKnown, Row, said
from runbook.diagnosis.record import ReviewerRecord
from runbook.diagnosis.remedies import READ_VAULTS_LOG
from runbook.errors import EnablementError
from runbook.foreign_text import plain
from systems.vault import Login, Refused, Vault
from tasks.diagnosis.asking import Asked
from tasks.diagnosis.reviewer import Reviewer
from tasks.diagnosis.starter import Starter, became_of
from tasks.diagnosis.vault import not_handed_out
from tasks.starter_login import MAY_READ, USED_UP, end_session, is_used_up, log_in_as_starter, try_reading

_REFUSED_BY_REVIEW = "403 permission denied"
"""What Vault answers when TokenReview failed, whatever the reason."""


def try_login(findings: Findings, asked: Asked, starter: Starter) -> None:
    """Log in as the starter, look what the session may do, and revoke it."""
    question = f"Does {starter.account} log in?"
    why, login = starter.why, None
    if starter.token is not None:
        try:
            login = log_in_as_starter(asked.vault, asked.request, asked.api, starter.token)
        except EnablementError as error:
            why = said(error)
    if login is None:
        findings.say(
            question, NotKnown(why if starter.token else f"not tried: {why}"), "Vault", matters=False
        )
        findings.tried.append(LoginTried(starter.namespace, None, why))
        return
    if isinstance(login, Refused):
        # In consequence of something that has a row of its own.
        findings.rows.append(Row(question, "Vault", plain(str(login)), "wrong"))
        findings.tried.append(LoginTried(starter.namespace, False, str(login)))
        return
    findings.say(question, f"yes; policies: {', '.join(login.policies)}", "Vault")
    findings.tried.append(LoginTried(starter.namespace, True, "200"))
    session = asked.vault.as_session(login)
    try:
        _what_it_may(findings, asked, session, starter, login)
    except EnablementError as error:
        findings.say(f"What may the session of {starter.account} read?", NotKnown(str(error)), "Vault")
    finally:
        if left := end_session(session):
            question = f"Is the session of {starter.account} revoked?"
            findings.say(question, NotKnown(f"no, {left}"), "Vault", matters=False)


def _what_it_may(findings: Findings, asked: Asked, session: Vault, starter: Starter, login: Login) -> None:
    account, namespace, policy = starter.account, starter.namespace, asked.request.role_policy
    if policy not in login.policies:
        cause = not_handed_out(asked, policy, login.policies)
        if not any(fault.kind is cause.kind for fault, _ in findings.faults):
            findings.say(f"Does the session of {account} have {policy}?", cause, namespace=namespace)
    reading = try_reading(session, asked.request)
    own = next(reading)
    question = f"May {account} read its secrets?"
    if own.answer.status in MAY_READ:
        findings.say(question, own.path, "Vault")
    else:
        cause = Causes.POLICY_LACKS_RULE.of(policy=policy, path=own.path)
        findings.say(question, cause, namespace=namespace)
    for tried in reading:
        path = tried.path
        question = f"Is {account} refused {path}?"
        if tried.answer.status != 403:
            policies = listed(login.policies)
            cause = Causes.SESSION_READS_TOO_MUCH.of(account=account, path=path, policies=policies)
            findings.say(question, cause, namespace=namespace)
        elif is_used_up(session, own):
            findings.say(question, NotKnown(USED_UP), "Vault", matters=False)
        else:
            findings.say(question, "403", "Vault")


def explain_the_rest(
    findings: Findings,
    asked: Asked,
    starter: Starter,
    tried: LoginTried,
    reviewer: Reviewer,
    record: ReviewerRecord | None,
) -> None:
    """What to say of a login that failed although nothing that was looked at is wrong."""
    if tried.works or findings.is_suspected(tried.namespace):
        return
    question, login = f"Why is {starter.account} refused?", starter.account
    if tried.works is None:
        untried = Causes.LOGIN_NOT_TRIED.of(account=login, why=tried.words)
        findings.say(question, untried, namespace=tried.namespace)
        return
    by_review = tried.words == _REFUSED_BY_REVIEW
    cause = became_of(findings, asked, starter)
    if cause is None and by_review:
        cause = _disabled(findings, asked, starter)
    if cause is None and (findings.not_known or not by_review):
        not_known = f"; not known: {'; '.join(findings.not_known)}" if findings.not_known else ""
        words = f"is refused with {tried.words}"
        cause = Causes.CAUSE_NOT_FOUND.of(login=login, words=words, not_known=not_known)
        if not not_known:
            cause = replace(cause, remedy=READ_VAULTS_LOG)
    cause = cause or _by_exclusion(findings, asked, login, reviewer, record)
    findings.say(question, cause, namespace=tried.namespace)


def _by_exclusion(
    findings: Findings, asked: Asked, login: str, reviewer: Reviewer, record: ReviewerRecord | None
) -> Cause:
    """The reviewer JWT, as far as neither another login nor our record excludes it."""
    mount, host = asked.request.target.mount, asked.api.host
    other = next((one.namespace for one in findings.tried if one.works), "")
    if other:
        because = f"{other}/{asked.request.service_account} logs in with it"
        return Causes.NOT_THE_REVIEWER_JWT.of(login=login, mount=mount, host=host, because=because)
    today = datetime.now(UTC), reviewer.uid, reviewer.sha256
    words = record.words(*today) if record else "we have no record of it"
    if record is None or not record.is_still_good(*today):
        return Causes.REVIEWER_JWT_NOT_ACCEPTED.of(mount=mount, record=words)
    if record.proved:
        return Causes.BEYOND_OUR_SIGHT.of(login=login, mount=mount, host=host, record=words)
    # To write it again is in vain.
    because = f"{words}; the API server accepted it from this worker, and no login has worked since"
    return Causes.NOT_THE_REVIEWER_JWT.of(login=login, mount=mount, host=host, because=because)


def _disabled(findings: Findings, asked: Asked, starter: Starter) -> Cause | None:
    """Vault refuses a disabled entity with the words of a failed review. Our printed rights do not tell."""
    uid = starter.claims.uid if starter.claims else ""

    def entity_of_starter() -> Mapping[str, Any] | None:
        mount = asked.vault.auth_mounts().get(asked.request.target.mount)
        return asked.vault.entity_of_alias(uid, mount.accessor) if mount else None

    def is_enabled(entity: Mapping[str, Any] | None) -> str | None:
        return None if entity is None or entity.get("disabled") is True else "yes"

    question = f"Is the entity of {starter.account} enabled?"
    entity, _ = findings.ask(question, "Vault", entity_of_starter, is_enabled, matters=False)
    if entity is None or entity.get("disabled") is not True:
        return None
    return Causes.ENTITY_DISABLED.of(login=starter.account, entity=str(entity.get("name")))
