"""The mode token-request: the token that we would write is new, and the Secret is nobody's business."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from runbook.conventions import RUNBOOK
from runbook.diagnosis.cause import Kind
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.claims import claims_of
from runbook.diagnosis.examination import Findings
from runbook.diagnosis.record import ReviewerRecord, digest
from runbook.diagnosis.remedies import NEW_ONE_IS_NO_BETTER, NEW_TOKEN
from sandbox.certificates import CertificateAuthority
from systems.openshift import OpenShift
from tasks.diagnosis.reviewer import ask_reviewer
from tests.kubernetes_objects import ESO
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import Scene, asked

REVIEWER = "eso-vault-auth"
API = "https://kubernetes.default.svc"
ACCOUNT = f"/api/v1/namespaces/{ESO}/serviceaccounts/{REVIEWER}"
WANTED = request(reviewer_token="token-request")
WRITTEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def of_former_account(scene: Scene) -> str:
    old = scene.api.sign_token(ESO, REVIEWER, lifetime=3600)
    scene.remake_account(ESO, REVIEWER)
    return old


OF_VAULT: list[Callable[[Scene], str]] = [
    lambda scene: "garbage",
    lambda scene: scene.api.sign_token(ESO, REVIEWER, lifetime=-600),
    of_former_account,
]


@pytest.mark.long
@pytest.mark.parametrize("token_of", OF_VAULT, ids=["garbage", "expired", "of a deleted ServiceAccount"])
def test_whatever_is_wrong_with_the_jwt_in_vault_is_found_by_excluding_all_else_and_told_by_our_record(
    scene: Scene, token_of: Callable[[Scene], str]
) -> None:
    # The Secret is bad as well, and in this mode that is not the reason.
    scene.put_in_secret("garbage")
    scene.wanted = WANTED
    uid = scene.uid(ESO, REVIEWER)
    token = token_of(scene)
    scene.change_config(token_reviewer_jwt=token)
    now = datetime.now(UTC).replace(microsecond=0)
    claims = claims_of(SecretStr(token))
    ends = claims.expires if claims and claims.expires else now + timedelta(hours=1)
    scene.record = ReviewerRecord(digest(SecretStr(token)), ends, uid, WRITTEN, "")
    anew = f", recreated since: now {scene.values['new']}" if "new" in scene.values else ""
    kept = (
        f"our record: written at 2026-01-02 03:04 UTC, sha256 {digest(SecretStr(token))[:16]}, "
        f"{'expired' if ends < now else 'expires'} at {ends:%Y-%m-%d %H:%M} UTC, of ServiceAccount uid "
        f"{uid}{anew}"
    )
    cause = scene.diagnose().causes[0]
    if ends < now or anew:
        assert cause == Causes.REVIEWER_JWT_NOT_ACCEPTED.of(mount="ember-k8s", record=kept)
    else:
        # By our record it is good, and nothing else of it can be seen.
        assert cause == Causes.BEYOND_OUR_SIGHT.of(
            login="payments/vault-secret-fetcher", mount="ember-k8s", host=scene.api.url, record=kept
        )


def issued(account: str = f"{ESO}/{REVIEWER}", uid: str = "today", key: str = "ours", **changes: Any) -> str:
    """A token with the claims of one of TokenRequest; nobody checks its signature here."""
    namespace, _, name = account.partition("/")
    of_whom = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
    claims = {"iss": API, "aud": [API], "exp": int(time.time()) + 86400, "kubernetes.io": of_whom, **changes}
    return jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": key})


ISSUED: list[tuple[Kind, str, dict[str, str]]] = [
    (Causes.REVIEWER_TOKEN_GARBAGE, "garbage", {}),
    (Causes.REVIEWER_TOKEN_STILL_BASE64, base64.b64encode(issued().encode()).decode(), {}),
    (Causes.REVIEWER_TOKEN_EXPIRED, issued(exp=1767225600), {"ended": "2026-01-01 00:00:00"}),
    (
        Causes.REVIEWER_TOKEN_OF_SOMEBODY_ELSE,
        issued("payments/vault-secret-fetcher"),
        {"account": "payments/vault-secret-fetcher"},
    ),
    (Causes.REVIEWER_TOKEN_OF_ANOTHER_CLUSTER, issued(key="theirs"), {"issuer": API}),
    (Causes.REVIEWER_TOKEN_OF_WRONG_AUDIENCE, issued(aud=["vault"]), {"audiences": "vault", "wanted": API}),
    (
        Causes.REVIEWER_TOKEN_OF_FORMER_ACCOUNT,
        issued(uid="yesterday"),
        {"token_uid": "yesterday", "uid": "today"},
    ),
    (Causes.REVIEWER_TOKEN_REFUSED, issued(), {"words": "401 Unauthorized"}),
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


@pytest.mark.parametrize(("kind", "token", "fields"), ISSUED, ids=lambda one: getattr(one, "name", ""))
def test_a_new_token_that_is_bad_is_the_clusters_fault_and_no_secret_is_to_be_deleted(
    gateway: Scripted, kind: Kind, token: str, fields: dict[str, str]
) -> None:
    issue(gateway, token)
    findings = Findings()
    with OpenShift(gateway.kubeconfig()) as openshift:
        ask_reviewer(
            findings, asked(WANTED, openshift=openshift), claims_of(SecretStr(issued(uid="starter")))
        )
    ((cause, _),) = findings.faults
    meant = kind.of(operator=RUNBOOK.operator, source=NEW_TOKEN, **fields)
    assert cause == replace(meant, remedy=NEW_ONE_IS_NO_BETTER)
    assert not [path for _, path, _, _ in gateway.requests if "/secrets" in path]


def test_a_cluster_that_issues_no_token_is_not_known_and_excludes_nothing(gateway: Scripted) -> None:
    gateway.answers[f"{ACCOUNT}/token"] = Answer.refusal(403, "no")
    findings = Findings()
    with OpenShift(gateway.kubeconfig()) as openshift:
        assert ask_reviewer(findings, asked(WANTED, openshift=openshift), None).token is None
    assert findings.faults == []
    (not_known,) = findings.not_known
    assert not_known.startswith("Does the cluster issue a reviewer's token? (token of ServiceAccount ")
