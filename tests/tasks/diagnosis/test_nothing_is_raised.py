"""What people and servers leave behind, however odd, is a line or a row of the diagnosis and no traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Findings
from sandbox.certificates import CertificateAuthority
from systems.openshift import OpenShift
from systems.vault import Vault
from systems.vault_http import VaultHttp
from tasks.diagnosis.starter import ask_starter
from tasks.diagnosis.vault import VaultAnswers, ask_vault
from tasks.verify import prove_login
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import Scene, asked

STARTER = "vault-secret-fetcher"
ACCOUNT = f"/api/v1/namespaces/payments/serviceaccounts/{STARTER}"
WORKS = "the login works"
WANTED = request(namespaces=("payments",))
ADDRESSES = "Does the role accept logins from our address?"
ENDED = f"Is the session of payments/{STARTER} revoked?"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Scripted]:
    """What answers as the API server, and issues whatever token a test wants."""
    with scripted_server(tmp_path, CertificateAuthority("scripted cluster")) as script:
        script.answers["/api/v1/namespaces/payments"] = Answer.json({"metadata": {"name": "payments"}})
        script.answers[ACCOUNT] = Answer.json({"metadata": {"name": STARTER, "uid": "today"}})
        yield script


def issue(cluster: Scripted, **claims: Any) -> None:
    token = jwt.encode({"aud": ["api"], **claims}, "x" * 32, algorithm="HS256")
    ends = f"{datetime.now(UTC) + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
    status = {"token": token, "expirationTimestamp": ends}
    cluster.answers[f"{ACCOUNT}/token"] = Answer.json({"spec": {"audiences": ["api"]}, "status": status}, 201)


@pytest.mark.parametrize(
    ("claims", "answer"),
    [
        ({}, "without an expiry"),
        ({"exp": None}, "without an expiry"),
        ({"exp": "soon"}, "without an expiry"),
        ({"exp": 1e300}, "without an expiry"),
        ({"exp": 253402300799}, "until 9999-12-31 23:59 UTC"),
    ],
    ids=str,
)
def test_a_token_that_ends_never_or_where_the_calendar_does_is_of_today(
    cluster: Scripted, claims: dict[str, Any], answer: str
) -> None:
    issue(cluster, **claims)
    findings = Findings()
    vault = VaultAnswers(answers=True, clock=datetime.now(UTC))
    with OpenShift(cluster.kubeconfig()) as openshift:
        ask_starter(findings, asked(WANTED, openshift=openshift), vault, "payments")
    assert (findings.rows[-1].answer, findings.rows[-1].mark) == (answer, "right")


def test_a_clock_of_vaults_that_no_calendar_has_is_not_known(tmp_path: Path) -> None:
    for clock in (1e300, -62135596800, True, "today", None):
        health = {"initialized": True, "sealed": False, "version": "2", "server_time_utc": clock}
        with scripted_server(tmp_path, CertificateAuthority("scripted Vault")) as script:
            script.answers["/v1/sys/health"] = Answer.json(health)
            with Vault(VaultHttp(script.url, ca_pem=script.ca_pem)) as vault:
                answers = ask_vault(Findings(), asked(WANTED, vault=vault))
        assert answers.answers


def of_batch(scene: Scene) -> None:
    scene.change_role(token_type="batch")


def without_default(scene: Scene) -> None:
    scene.change_role(token_no_default_policy=True)


@pytest.mark.long
@pytest.mark.parametrize("break_it", [of_batch, without_default])
def test_a_session_that_cannot_end_itself_is_a_row_and_no_fault_of_the_login(
    scene: Scene, break_it: Callable[[Scene], None]
) -> None:
    scene.wanted = WANTED
    break_it(scene)
    examination = scene.diagnose()
    assert examination.line == WORKS
    (row,) = [row for row in examination.rows if row.question == ENDED]
    assert row.answer.startswith("no, it expires by itself: ")
    *proofs, ended = prove_login(scene.pipeline, scene.openshift, WANTED, scene.server, "payments")
    assert all(proof.proved for proof in proofs)
    assert (ended.claim, ended.proved) == ("its session is revoked", None)


@pytest.mark.long
def test_a_session_whose_uses_are_counted_is_a_row_when_they_are_used_up(scene: Scene) -> None:
    scene.wanted = WANTED
    scene.change_role(token_num_uses=1)
    examination = scene.diagnose()
    assert examination.line == WORKS
    assert ENDED in {row.question for row in examination.rows}
    (refused,) = [row for row in examination.rows if "refused k8s_secrets/data/not-emea" in row.question]
    assert refused.mark == "not known"
    assert "token_num_uses" in refused.answer


@pytest.mark.parametrize(("uses", "proved"), [(1, None), (2, None), (3, True)])
def test_a_session_whose_uses_are_used_up_proves_nothing_by_a_refusal(
    scene: Scene, uses: int, *, proved: bool | None
) -> None:
    scene.wanted = WANTED
    scene.change_role(token_num_uses=uses)
    proofs = prove_login(scene.pipeline, scene.openshift, WANTED, scene.server, "payments")
    (refused,) = [proof for proof in proofs if "may not read k8s_secrets/not-emea/" in proof.claim]
    assert refused.proved is proved
    assert proved or "token_num_uses" in refused.seen


@pytest.mark.long
@pytest.mark.parametrize("address", ["127.0.0.1:8200", "[::1]:80", "/run/agent.sock"])
def test_an_address_of_a_role_that_is_no_network_is_left_to_vault(scene: Scene, address: str) -> None:
    scene.change_role(token_bound_cidrs=[address])
    row = next(row for row in scene.diagnose().rows if row.question == ADDRESSES)
    assert row.mark == "not known"
    assert row.answer.startswith("only Vault knows whether ")
    scene.change_role(token_bound_cidrs=[address, "127.0.0.0/8"])
    examination = scene.diagnose()
    assert examination.line == WORKS
    assert next(row for row in examination.rows if row.question == ADDRESSES).mark == "right"


@pytest.mark.long
def test_a_secret_that_is_no_text_is_named(scene: Scene) -> None:
    scene.remake_secret({"token": "//8="})
    scene.change_config(token_reviewer_jwt="gone with the Secret")
    cause = scene.diagnose().causes[0]
    assert cause.kind is Causes.CAUSE_NOT_FOUND
    assert "its token is not base64 of text" in cause.line
