"""What the diagnosis asks of the reviewer: its ServiceAccount, its right, the token that we would write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr

from runbook.diagnosis import (
    Cause,
    ClientTokenRefused,
    HostOfAnotherCluster,
    ReviewerMayNotReview,
    ReviewerMissing,
    ReviewerSecretEmpty,
    ReviewerSecretMissing,
    ReviewerTokenExpired,
    ReviewerTokenGarbage,
    ReviewerTokenOfAnotherCluster,
    ReviewerTokenOfFormerAccount,
    ReviewerTokenOfSomebodyElse,
    ReviewerTokenOfWrongAudience,
    ReviewerTokenRefused,
    ReviewerTokenStillBase64,
)
from runbook.diagnosis.claims import Claims, claims_of, is_base64_of_jwt
from runbook.diagnosis.examination import Findings
from runbook.diagnosis.on_the_cluster import REVIEWER
from runbook.diagnosis.record import digest
from runbook.diagnosis.reviewer_token import NEW_TOKEN, SECRET
from runbook.errors import AccessDenied, EnablementError
from runbook.names import ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, REVIEWER_TOKEN_SECRET
from runbook.request import EnableRequest
from systems.openshift import Access, OpenShift, review_with
from tasks.auth_config import SHORTEST_TOKEN, ApiServer
from tasks.diagnosis.asking import ask
from tasks.diagnosis.starter import Starter, became_of

SYSTEM = "OpenShift"
_REVIEW = Access("create", "tokenreviews", group="authentication.k8s.io")


@dataclass(slots=True)
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


def ask_reviewer(
    findings: Findings, openshift: OpenShift, request: EnableRequest, ours: Claims | None
) -> Reviewer:
    """Whether the reviewer can review.

    Args:
        ours: claims of a token that the cluster has just issued: its key and its audience today.
    """
    reviewer = Reviewer()
    question = f"Is ServiceAccount {REVIEWER} there?"
    known = ask(
        findings,
        question,
        SYSTEM,
        lambda: openshift.service_account_uid(ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT),
    )
    if known is not None and known.value is None:
        findings.wrong(question, ReviewerMissing())
        return reviewer
    if known is not None:
        reviewer.uid = known.value or ""
        findings.right(question, SYSTEM, f"uid {reviewer.uid}")
    _right(findings, openshift)
    source, token = _token(findings, openshift, request, reviewer)
    if token is None:
        return reviewer
    question = "Is the reviewer's token that we would write now accepted?"
    cause = _fault(openshift, source, token, reviewer.uid, ours)
    if cause is None:
        reviewer.token = token
        findings.right(question, SYSTEM, f"{source}: yes")
    elif isinstance(cause, Cause):
        findings.wrong(question, cause)
    else:
        findings.unknown(question, SYSTEM, cause)
    return reviewer


def _right(findings: Findings, openshift: OpenShift) -> None:
    question = f"May {REVIEWER} create tokenreviews?"
    known = ask(
        findings,
        question,
        SYSTEM,
        lambda: openshift.service_account_can(ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, _REVIEW),
    )
    if known is None:
        return
    if known.value is None:
        findings.unknown(question, SYSTEM, "we may not create subjectaccessreviews")
    elif known.value:
        findings.right(question, SYSTEM, "yes")
    else:
        findings.wrong(question, ReviewerMayNotReview())


def _token(
    findings: Findings, openshift: OpenShift, request: EnableRequest, reviewer: Reviewer
) -> tuple[str, SecretStr | None]:
    """Where the token comes from, and the token; None with a row that says why."""
    if request.reviewer_token == "token-request":  # noqa: S105 - a mode, not a token
        question = "Does the cluster issue a reviewer's token?"
        issued = ask(
            findings,
            question,
            SYSTEM,
            lambda: openshift.request_token(ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, SHORTEST_TOKEN),
        )
        return NEW_TOKEN, issued.value.token if issued else None
    question = "Is the reviewer's token Secret there?"
    known = ask(
        findings, question, SYSTEM, lambda: openshift.token_secret(ESO_NAMESPACE, REVIEWER_TOKEN_SECRET)
    )
    if known is None:
        return SECRET, None
    if known.value is None:
        findings.wrong(question, ReviewerSecretMissing())
        return SECRET, None
    if known.value.token is None:
        findings.wrong(question, ReviewerSecretEmpty())
        return SECRET, None
    reviewer.sha256 = digest(known.value.token)
    findings.right(question, SYSTEM, f"yes; sha256 {reviewer.sha256[:16]}")
    return SECRET, known.value.token


def _fault(
    openshift: OpenShift, source: str, token: SecretStr, uid: str, ours: Claims | None
) -> Cause | str | None:
    """What is wrong with the token, as text where the cluster could not be asked; None if nothing is."""
    claims = claims_of(token)
    if claims is None:
        return ReviewerTokenStillBase64(source) if is_base64_of_jwt(token) else ReviewerTokenGarbage(source)
    if claims.expires and claims.expires < datetime.now(UTC):
        return ReviewerTokenExpired(source, claims.expires)
    if claims.account != REVIEWER:
        return ReviewerTokenOfSomebodyElse(source, claims.account)
    try:
        review = review_with(openshift.host, openshift.ca_pem, token, token)
    except AccessDenied as error:
        # 403: it is believed and has no right to review, which is a fault of its own.
        words = error.answer if error.answer.startswith("401") else None
    except EnablementError as error:
        return f"{error.subject}: {error.answer}"
    else:
        words = None if review.authenticated else review.error
    return None if words is None else _refused(openshift, source, claims, uid, ours, words)


def _refused(
    openshift: OpenShift, source: str, claims: Claims, uid: str, ours: Claims | None, words: str
) -> Cause:
    """Why the cluster refuses a token, which it does not say: by comparing with a token of today."""
    if _key_is_foreign(openshift, claims, ours):
        return ReviewerTokenOfAnotherCluster(source, claims.issuer)
    if ours and claims.audiences and not set(claims.audiences) & set(ours.audiences):
        return ReviewerTokenOfWrongAudience(source, claims.audiences, ours.audiences)
    if uid and claims.uid != uid:
        return ReviewerTokenOfFormerAccount(source, claims.uid, uid)
    return ReviewerTokenRefused(source, words)


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


def review_as_vault(
    findings: Findings,
    openshift: OpenShift,
    request: EnableRequest,
    api: ApiServer,
    reviewer: SecretStr,
    starter: Starter,
) -> None:
    """The very request that Vault makes at a login, with the reviewer's token that we would write.

    Asked only where that token is accepted at the cluster's own address.
    """
    if starter.token is None:
        return
    question = f"Does {api.host} accept reviewer and token of {starter.account}, asked as Vault asks?"
    try:
        review = review_with(api.host, api.ca_pem, reviewer, starter.token)
    except AccessDenied as error:
        if error.answer.startswith("401"):
            findings.wrong(question, HostOfAnotherCluster(api.host, openshift.host))
        else:
            findings.unknown(question, SYSTEM, error.answer)
    except EnablementError as error:
        findings.unknown(question, SYSTEM, f"{error.subject}: {error.answer}")
    else:
        if review.authenticated:
            findings.right(question, SYSTEM, f"yes, as {review.username}")
        else:
            cause = became_of(findings, openshift, request, starter)
            refused = cause or ClientTokenRefused(starter.account, review.error)
            findings.wrong(question, refused, starter.namespace)
