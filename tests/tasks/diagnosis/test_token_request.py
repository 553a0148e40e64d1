"""The mode token-request: the token that we would write is new, and the Secret is nobody's business."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority
from runbook.diagnosis import (
    Cause,
    ReviewerJwtNotAccepted,
    ReviewerTokenExpired,
    ReviewerTokenGarbage,
    ReviewerTokenOfAnotherCluster,
    ReviewerTokenOfFormerAccount,
    ReviewerTokenOfSomebodyElse,
    ReviewerTokenOfWrongAudience,
    ReviewerTokenRefused,
    ReviewerTokenStillBase64,
)
from runbook.diagnosis.claims import claims_of
from runbook.diagnosis.examination import Findings
from runbook.diagnosis.record import ReviewerRecord, digest
from systems.openshift import OpenShift
from tasks.diagnosis.reviewer import ask_reviewer
from tests.kubernetes_objects import ESO
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import Scene

REVIEWER = "eso-vault-auth"
API = "https://kubernetes.default.svc"
ACCOUNT = f"/api/v1/namespaces/{ESO}/serviceaccounts/{REVIEWER}"
SOURCE = "OpenShift, reviewer's token (new, of TokenRequest)"
WANTED = request(reviewer_token="token-request")
WRITTEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def of_former_account(scene: Scene) -> str:
    old = scene.api.sign_token(ESO, REVIEWER, lifetime=3600)
    scene.remake_account(ESO, REVIEWER)
    return old


OF_VAULT: dict[str, Callable[[Scene], str]] = {
    "garbage": lambda scene: "garbage",
    "still base64": lambda scene: base64.b64encode(scene.reviewer_token().encode()).decode(),
    "expired": lambda scene: scene.api.sign_token(ESO, REVIEWER, lifetime=-600),
    "of another cluster": lambda scene: scene.another_cluster().sign_token(ESO, REVIEWER, lifetime=3600),
    "of the wrong audience": lambda scene: scene.api.sign_token(
        ESO, REVIEWER, lifetime=3600, audiences=["vault"]
    ),
    "of a deleted ServiceAccount": of_former_account,
}


@pytest.mark.long
@pytest.mark.parametrize("what", OF_VAULT)
def test_whatever_is_wrong_with_the_jwt_in_vault_is_found_by_excluding_all_else_and_told_by_our_record(
    scene: Scene, what: str
) -> None:
    # The Secret is bad as well, and in this mode that is not the reason.
    scene.put_in_secret("garbage")
    scene.wanted = WANTED
    uid = scene.uid(ESO, REVIEWER)
    token = OF_VAULT[what](scene)
    scene.change_config(token_reviewer_jwt=token)
    now = datetime.now(UTC).replace(microsecond=0)
    claims = claims_of(SecretStr(token))
    ends = claims.expires if claims and claims.expires else now + timedelta(hours=1)
    scene.record = ReviewerRecord(digest(SecretStr(token)), ends, uid, WRITTEN, "")
    anew = f", which was made anew since: now {scene.values['new']}" if "new" in scene.values else ""
    cause = scene.diagnose().causes[0]
    assert isinstance(cause, ReviewerJwtNotAccepted)
    assert cause.line == (
        "Vault, auth/ember-k8s/config: Vault's reviewer JWT is not accepted by the API server; all else is "
        f"right; our record: written at 2026-01-02 03:04 UTC, sha256 {digest(SecretStr(token))[:16]}, "
        f"{'ended' if ends < now else 'ends'} at {ends:%Y-%m-%d %H:%M} UTC, of ServiceAccount uid {uid}{anew}"
    )


def issued(account: str = f"{ESO}/{REVIEWER}", uid: str = "today", key: str = "ours", **changes: Any) -> str:
    """A token with the claims of one of TokenRequest; nobody checks its signature here."""
    namespace, _, name = account.partition("/")
    of_whom = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
    claims = {"iss": API, "aud": [API], "exp": int(time.time()) + 600, "kubernetes.io": of_whom, **changes}
    return jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": key})


ISSUED: list[tuple[type[Cause], str, str]] = [
    (ReviewerTokenGarbage, "garbage", "is not a JWT"),
    (
        ReviewerTokenStillBase64,
        base64.b64encode(issued().encode()).decode(),
        "is still base64: a JWT that was encoded once too often",
    ),
    (ReviewerTokenExpired, issued(exp=1767225600), "expired at 2026-01-01 00:00:00 UTC"),
    (
        ReviewerTokenOfSomebodyElse,
        issued("payments/vault-secret-fetcher"),
        f"is of payments/vault-secret-fetcher, not of {ESO}/{REVIEWER}",
    ),
    (
        ReviewerTokenOfAnotherCluster,
        issued(key="theirs"),
        f"was not signed by this cluster (issuer {API}, with a key that is none of the cluster's own), "
        "which refuses it",
    ),
    (
        ReviewerTokenOfWrongAudience,
        issued(aud=["vault"]),
        f"is for vault; the API server wants {API}",
    ),
    (
        ReviewerTokenOfFormerAccount,
        issued(uid="yesterday"),
        f"is of a deleted ServiceAccount: its uid is yesterday, that of {ESO}/{REVIEWER} now is today",
    ),
    (
        ReviewerTokenRefused,
        issued(),
        "is refused by the API server (401 Unauthorized), though its claims are right",
    ),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Scripted]:
    """What answers as the API server and hands out tokens that are none of its own."""
    with scripted_server(tmp_path, CertificateAuthority("gateway")) as script:
        script.answers[ACCOUNT] = Answer.json({"metadata": {"name": REVIEWER, "uid": "today"}})
        script.answers["/apis/authorization.k8s.io/v1/subjectaccessreviews"] = Answer.json(
            {"spec": {}, "status": {"allowed": True}}, 201
        )
        script.answers["/apis/authentication.k8s.io/v1/tokenreviews"] = Answer.refusal(401, "Unauthorized")
        yield script


def issue(gateway: Scripted, token: str) -> None:
    ends = f"{datetime.now(UTC) + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
    spec = {"audiences": [API]}
    answer = {"spec": spec, "status": {"token": token, "expirationTimestamp": ends}}
    gateway.answers[f"{ACCOUNT}/token"] = Answer.json(answer, 201)


@pytest.mark.parametrize(("kind", "token", "answer"), ISSUED, ids=lambda one: getattr(one, "__name__", ""))
def test_a_new_token_that_is_bad_is_the_clusters_fault_and_no_secret_is_to_be_deleted(
    gateway: Scripted, kind: type[Cause], token: str, answer: str
) -> None:
    issue(gateway, token)
    findings = Findings()
    with OpenShift(gateway.kubeconfig()) as openshift:
        ask_reviewer(findings, openshift, WANTED, claims_of(SecretStr(issued(uid="starter"))))
    (cause,) = findings.faults
    assert type(cause) is kind
    assert cause.line == f"{SOURCE}: {answer}"
    assert cause.remedy.startswith("The cluster has issued it just now, and a new one would be no better")
    assert not [path for _, path, _, _ in gateway.requests if "/secrets" in path]


def test_a_cluster_that_issues_no_token_is_not_known_and_excludes_nothing(gateway: Scripted) -> None:
    gateway.answers[f"{ACCOUNT}/token"] = Answer.refusal(403, "no")
    findings = Findings()
    with OpenShift(gateway.kubeconfig()) as openshift:
        assert ask_reviewer(findings, openshift, WANTED, None).token is None
    assert findings.faults == []
    (not_known,) = findings.not_known
    assert not_known.startswith("Does the cluster issue a reviewer's token? (token of ServiceAccount ")
