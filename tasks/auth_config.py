"""Step: the config of the cluster's auth mount, with the reviewer's token.

The token is read from the cluster and written to Vault inside this one step. It is not returned, logged or
stored; what is kept of it is a hash and the time when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from change.permission import Permission
from change.step import READ_BACK_PAUSES, Outcome, log_changes, outcome, step
from runbook.application_names import OPERATOR
from runbook.approval import ApprovedPlan
from runbook.changes import Change, Difference
from runbook.conventions import Operator
from runbook.diagnosis.claims import claims_of
from runbook.diagnosis.record import digest
from runbook.diagnosis.remedies import NEW_SECRET
from runbook.durations import seconds
from runbook.errors import (
    Busy,
    CertificateNotTrusted,
    EnablementError,
    NotYetSynced,
    PrerequisiteMissing,
    VerificationFailed,
)
from runbook.hosts import ApiServer
from runbook.objects import Seen
from runbook.objects.config import REVIEWER_JWT, replaced_since
from runbook.request import EnableRequest
from systems.openshift import OpenShift, review_with
from systems.tls import check_certificate
from systems.vault import Vault
from tasks import connect
from tasks.reviewer_record import configured_before, keep_record
from tasks.starter_login import login_fails_by_the_config
from tasks.writing import permission


@dataclass(frozen=True, slots=True)
class Reviewer:
    """The reviewer's token, and when it ends (None: with its Secret)."""

    token: SecretStr
    expires_at: datetime | None
    service_account_uid: str = ""

    @property
    def record(self) -> dict[str, str]:
        """What may be kept of it."""
        return {
            "sha256": digest(self.token),
            "expires": self.expires_at.isoformat() if self.expires_at else "with its Secret",
            "service_account_uid": self.service_account_uid,
        }


def reviewer_token(openshift: OpenShift, request: EnableRequest, given: Permission) -> Reviewer:
    """Fetch the reviewer's token in the way that the run asks for.

    Raises:
        NotYetSynced: the Secret is not filled yet.
        PrerequisiteMissing: Secret or ServiceAccount is not there.
    """
    operator = request.conventions.operator
    if request.reviewer_token == "token-request":  # noqa: S105 - a mode, not a token
        lifetime = seconds("reviewer_token_lifetime", request.reviewer_token_lifetime)
        try:
            issued = openshift.request_token(operator.namespace, operator.reviewer, lifetime)
        except EnablementError as error:
            if error.maybe_done:
                given.record(_issued(operator, "not known"), "OpenShift", confirmed=False)
            raise
        claims = claims_of(issued.token)
        reviewer = Reviewer(issued.token, issued.expires_at, claims.uid if claims else "")
        issuing = _issued(operator, reviewer.record["expires"])
        given.record(issuing, "OpenShift", token=reviewer.record["sha256"])
        return reviewer
    subject = operator.secret
    secret = openshift.token_secret(operator.namespace, operator.reviewer_token)
    if secret is None:
        raise PrerequisiteMissing(
            "OpenShift",
            subject,
            "is not there",
            f"In ArgoCD, sync {OPERATOR}; it comes with the pull request.",
        )
    if secret.token is None:
        raise NotYetSynced(
            "OpenShift", subject, "has no token yet", "The cluster fills it within seconds; retry this run."
        )
    return Reviewer(secret.token, None, secret.service_account_uid)


def _issued(operator: Operator, expires: str) -> Change:
    """For the record: a token that the cluster made for us."""
    subject = f"serviceaccount/{operator.account}/token"
    path = f"/api/v1/namespaces/{operator.namespace}/serviceaccounts/{operator.reviewer}/token"
    fields = (
        Difference("token", None, "the reviewer's token, not shown"),
        Difference("expires", None, expires),
    )
    return Change(subject, "absent", "create", path, {}, fields)


def prove_reviewer(api: ApiServer, operator: Operator, reviewer: Reviewer) -> None:
    """Do what Vault will do at each login: connect to that host, trusting that CA alone, and review a token.

    Vault accepts almost any config without a word, and a login right after a change can pass over a pooled
    connection. So this is found out before the write.

    Raises:
        CertificateNotTrusted: chain or host name do not check out.
        VerificationFailed: the API server does not accept the token, or not as the reviewer.
    """
    report = check_certificate(api.host, api.ca_pem or None, proxy=api.proxy)
    if not report.trusted:
        raise CertificateNotTrusted(
            "OpenShift",
            api.host,
            report.problem,
            "Set host_for_vault and ca_cert_for_vault of the ClusterConnection to what Vault must use.",
        )
    review = review_with(api.host, api.ca_pem or None, reviewer.token, reviewer.token, proxy=api.proxy)
    expected = f"system:serviceaccount:{operator.namespace}:{operator.reviewer}"
    if not review.authenticated or review.username != expected:
        raise VerificationFailed(
            "OpenShift",
            f"token of {operator.account}",
            f"is reviewed as {review.username or 'nobody'} ({review.error or 'no reason given'}), "
            f"not as {expected}",
            NEW_SECRET.format(operator=operator),
        )


def realize_config(
    vault: Vault,
    openshift: OpenShift,
    request: EnableRequest,
    api: ApiServer,
    given: Permission,
    keep: Callable[[Mapping[str, str]], None],
    recorded: Callable[[], bool],
) -> tuple[Change, Reviewer | None]:
    """Write the config if it is not as wanted or the login fails by its fault; read back what can be read.

    Logins that the role refuses are no reason to write: the next step writes the role.

    To fetch and to prove the reviewer's token takes seconds, and a write replaces the whole. So the config is
    read once more right before it is written; whose the mount is, and what the plan says, is looked at then.
    What reads back otherwise, a field of others too, was replaced by somebody, with the reviewer's JWT; it is
    compared anew and written again, a few times.

    Args:
        vault, openshift: where to write, and where the reviewer's token comes from.
        request: the run's parameters.
        api: the cluster's API as Vault reaches it.
        given: what may be written, and where each write is recorded.
        keep: takes `Reviewer.record` of each token that was written, or may have been.
        recorded: whether our record says that we configured the cluster's mount in this Vault before.

    Raises:
        Conflict: the mount, or a field of its config, is somebody else's.
        PlanMoved: the difference is not a part of the approved plan.
        VerificationFailed: the token that we would write is not accepted.
        Busy: the config still reads back otherwise than it was written.
    """

    def compare() -> Change:
        change = request.config.compare(Seen(vault, api, recorded, login_works=False))
        given.check([change])
        return change

    mount = request.target.mount
    change = request.config.compare_with(vault.kubernetes_config(mount), api)
    if change.action == "none" and not login_fails_by_the_config(vault, openshift, request, api):
        return change, None
    if change.action != "none":
        given.check([change])
    if request.reviewer_token == "token-request":  # noqa: S105 - a mode, not a token
        # What the cluster issues cannot be taken back, so that it is not asked for what may not be written.
        given.check_rights([compare()])
    reviewer = reviewer_token(openshift, request, given)
    prove_reviewer(api, request.conventions.operator, reviewer)
    other: tuple[str, ...] = ()
    for pause in READ_BACK_PAUSES:
        change = compare()
        _write_config(vault, change, reviewer, given, keep)
        other = replaced_since(change.payload, vault.kubernetes_config(mount))
        if other:
            time.sleep(pause)
            other = replaced_since(change.payload, vault.kubernetes_config(mount))
        if not other:
            return change, reviewer
    raise Busy(
        "Vault",
        change.object,
        f"does not read back as written: {', '.join(other)}",
        "It is retried automatically; if this stays, somebody else is changing it at the same time.",
    )


def _write_config(
    vault: Vault,
    change: Change,
    reviewer: Reviewer,
    given: Permission,
    keep: Callable[[Mapping[str, str]], None],
) -> None:
    """Write, and keep what may be kept of the token before anything else can fail.

    Kept too where no answer tells whether it was written: once it was, a retry finds a login that works.
    """
    record = reviewer.record
    try:
        with given.recording(change, **{REVIEWER_JWT: record["sha256"]}):
            vault.write(change.path, {**change.payload, REVIEWER_JWT: reviewer.token})
    except EnablementError as error:
        if error.maybe_done:
            keep(record)
        raise
    keep(record)


@step("configure auth method")
def configure_auth_method(request: EnableRequest, approved: ApprovedPlan) -> Outcome:
    """Tell Vault where the cluster's API is, whom to trust there, and as whom to review tokens."""
    connection = connect.cluster_connection(request)
    with connection.client() as openshift, connect.vault(request) as vault:
        api = connection.as_vault_sees_it(openshift, request.conventions.reviewer_ca)
        given = permission(request, approved, vault)
        place = vault.http.place
        change, _ = realize_config(
            vault,
            openshift,
            request,
            api,
            given,
            lambda record: keep_record(request, record, place),
            lambda: configured_before(request, place),
        )
    log_changes([change])
    return outcome([change])
