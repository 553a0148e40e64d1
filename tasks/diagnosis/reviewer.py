"""What the diagnosis asks of the reviewer: its ServiceAccount, its right, the token that we would write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import SecretStr

from runbook.cluster_rights import REVIEW_TOKENS
from runbook.diagnosis.cause import Cause, listed
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.claims import Claims, claims_of, is_base64_of_jwt
from runbook.diagnosis.examination import Findings, NotKnown, Verdict
from runbook.diagnosis.record import digest
from runbook.diagnosis.remedies import NEW_ONE_IS_NO_BETTER, NEW_TOKEN
from runbook.errors import AccessDenied, EnablementError, NotAuthenticated
from runbook.names import SHORTEST_TOKEN
from systems.openshift import OpenShift, TokenSecret, review_with
from tasks.diagnosis.asking import Asked
from tasks.diagnosis.starter import Starter, became_of


@dataclass(frozen=True, slots=True)
class Reviewer:
    """The reviewer as it is today.

    Attributes:
        uid: of its ServiceAccount; empty if not known.
        token: that we would write now, if the cluster accepts it.
        sha256: of the token in the Secret; empty in mode token-request, or if not known.
    """

    uid: str = ""
    token: SecretStr | None = None
    sha256: str = ""


def ask_reviewer(findings: Findings, asked: Asked, ours: Claims | None) -> Reviewer:
    """Whether the reviewer can review.

    Args:
        ours: claims of a token that the cluster has just issued: its key and its audience today.
    """
    openshift, operator = asked.openshift, asked.request.conventions.operator
    uid, there = findings.ask(
        f"Is ServiceAccount {operator.account} there?",
        "OpenShift",
        lambda: openshift.service_account_uid(operator.namespace, operator.reviewer),
        lambda uid: Causes.REVIEWER_MISSING.of(operator=operator) if uid is None else f"uid {uid}",
    )
    if there == "wrong":
        return Reviewer()

    def may_review(may: bool | None) -> Verdict:
        if may is None:
            return NotKnown("we may not create subjectaccessreviews")
        return "yes" if may else Causes.REVIEWER_MAY_NOT_REVIEW.of(operator=operator)

    findings.ask(
        f"May {operator.account} create tokenreviews?",
        "OpenShift",
        lambda: openshift.service_account_can(operator.namespace, operator.reviewer, REVIEW_TOKENS),
        may_review,
    )
    is_new = asked.request.reviewer_token == "token-request"  # noqa: S105 - a mode, not a token
    token = (_new_token if is_new else _token_of_the_secret)(findings, asked)
    reviewer = Reviewer(uid or "", sha256="" if is_new or token is None else digest(token))
    if token is None:
        return reviewer
    source = NEW_TOKEN if is_new else operator.secret

    def accepted(cause: Cause | None) -> Verdict:
        if cause is None:
            return f"{source}: yes"
        return replace(cause, remedy=NEW_ONE_IS_NO_BETTER) if is_new else cause

    _, good = findings.ask(
        "Is the reviewer's token that a run would write accepted?",
        "OpenShift",
        lambda: _fault(asked, source, token, reviewer.uid, ours),
        accepted,
    )
    return replace(reviewer, token=token) if good == "right" else reviewer


def _new_token(findings: Findings, asked: Asked) -> SecretStr | None:
    operator = asked.request.conventions.operator
    issued, _ = findings.ask(
        "Does the cluster issue a reviewer's token?",
        "OpenShift",
        lambda: asked.openshift.request_token(operator.namespace, operator.reviewer, SHORTEST_TOKEN),
        lambda _: None,
    )
    return issued.token if issued else None


def _token_of_the_secret(findings: Findings, asked: Asked) -> SecretStr | None:
    operator = asked.request.conventions.operator

    def is_there(secret: TokenSecret | None) -> Verdict:
        if secret is None:
            return Causes.REVIEWER_SECRET_MISSING.of(operator=operator)
        if secret.token is None:
            return Causes.REVIEWER_SECRET_EMPTY.of(operator=operator)
        return f"yes; sha256 {digest(secret.token)[:16]}"

    secret, _ = findings.ask(
        "Is the reviewer's token Secret there?",
        "OpenShift",
        lambda: asked.openshift.token_secret(operator.namespace, operator.reviewer_token),
        is_there,
    )
    return secret.token if secret else None


def _fault(asked: Asked, source: str, token: SecretStr, uid: str, ours: Claims | None) -> Cause | None:
    """What is wrong with the token; None if nothing is. Raises where the cluster cannot be asked."""
    claims, operator = claims_of(token), asked.request.conventions.operator
    if claims is None:
        if is_base64_of_jwt(token):
            return Causes.REVIEWER_TOKEN_STILL_BASE64.of(operator=operator, source=source)
        return Causes.REVIEWER_TOKEN_GARBAGE.of(operator=operator, source=source)
    if claims.expires and claims.expires < datetime.now(UTC):
        return Causes.REVIEWER_TOKEN_EXPIRED.of(
            operator=operator, source=source, ended=f"{claims.expires:%Y-%m-%d %H:%M:%S}"
        )
    if claims.account != operator.account:
        return Causes.REVIEWER_TOKEN_OF_SOMEBODY_ELSE.of(
            operator=operator, source=source, account=claims.account
        )
    words = _refusal(asked.openshift, token)
    return None if words is None else _refused(asked, source, claims, uid, ours, words)


def _refusal(openshift: OpenShift, token: SecretStr) -> str | None:
    """The API server's words on a token that asks it to review that very token; None where it is accepted."""
    try:
        review = review_with(openshift.host, openshift.ca_pem, token, token, proxy=openshift.proxy)
    except NotAuthenticated as error:
        return error.answer
    except AccessDenied:
        return None  # It is believed and has no right to review, which is a fault of its own.
    return None if review.authenticated else review.error


def _refused(asked: Asked, source: str, claims: Claims, uid: str, ours: Claims | None, words: str) -> Cause:
    """Why the cluster refuses a token, which it does not say: by comparing with a token of today."""
    operator = asked.request.conventions.operator
    if _key_is_foreign(asked.openshift, claims, ours):
        return Causes.REVIEWER_TOKEN_OF_ANOTHER_CLUSTER.of(
            operator=operator, source=source, issuer=claims.issuer
        )
    if ours and claims.audiences and not set(claims.audiences) & set(ours.audiences):
        return Causes.REVIEWER_TOKEN_OF_WRONG_AUDIENCE.of(
            operator=operator,
            source=source,
            audiences=listed(claims.audiences),
            wanted=listed(ours.audiences),
        )
    if uid and claims.uid != uid:
        return Causes.REVIEWER_TOKEN_OF_FORMER_ACCOUNT.of(
            operator=operator, source=source, token_uid=claims.uid, uid=uid
        )
    return Causes.REVIEWER_TOKEN_REFUSED.of(operator=operator, source=source, words=words)


def _key_is_foreign(openshift: OpenShift, claims: Claims, ours: Claims | None) -> bool:
    """Whether another cluster's key has signed a token."""
    try:
        keys = openshift.key_ids()
    except EnablementError:
        keys = None
    if keys is not None:
        return claims.key_id not in keys
    # The token of a Secret names no audience; in its own cluster it may have another key than a new one.
    return bool(ours and claims.audiences and claims.key_id != ours.key_id)


def review_as_vault(findings: Findings, asked: Asked, reviewer: SecretStr, starter: Starter) -> None:
    """The very request that Vault makes at a login, with the reviewer's token that we would write.

    Asked only where that token is accepted at the cluster's own address.
    """
    api, token = asked.api, starter.token
    if token is None:
        return

    question = f"Does {api.host} accept reviewer and token of {starter.account}, asked as Vault asks?"

    def review() -> Verdict:
        try:
            answer = review_with(api.host, api.ca_pem or None, reviewer, token, proxy=api.proxy)
        except NotAuthenticated:
            another = Causes.HOST_OF_ANOTHER_CLUSTER.of(host=api.host, ours=asked.openshift.host)
            findings.say(question, another)  # for all namespaces
            return None
        except AccessDenied as error:
            return NotKnown(error.answer)
        if answer.authenticated:
            return f"yes, as {answer.username}"
        words = answer.error or "no reason given"
        refused = Causes.CLIENT_TOKEN_REFUSED.of(account=starter.account, words=words)
        return became_of(findings, asked, starter) or refused

    findings.ask(question, "OpenShift", review, lambda verdict: verdict, namespace=starter.namespace)
