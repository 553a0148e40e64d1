"""What is said where no fault can be seen, what may not be looked at, and what a working login disproves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from runbook.diagnosis.cause import Kind
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Findings, LoginTried
from runbook.diagnosis.record import ReviewerRecord, digest
from runbook.hosts import ApiServer
from sandbox.vault_server import VaultServer
from tasks.diagnose import failure
from tests.kubernetes_objects import ESO
from tests.tasks.conftest import request as wanted
from tests.tasks.diagnosis.scene import POLICY, Scene, disable_entity

pytestmark = pytest.mark.long

NOT_ACCEPTED = "the API server most likely refuses Vault's reviewer JWT; all else that we can check is right"
LINE = f"Vault, auth/ember-k8s/config: {NOT_ACCEPTED}; "
WRITTEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_where_all_is_well_it_says_so_in_every_mode(scene: Scene) -> None:
    assert scene.diagnose().line == "the login works"
    scene.wanted = wanted(reviewer_token="token-request")
    assert scene.diagnose().line == "the login works"


def test_a_jwt_that_only_vault_holds_is_found_by_excluding_all_else(scene: Scene) -> None:
    scene.reviewer_jwt_of_nobody()
    (cause, *rest) = scene.diagnose().causes
    assert cause.kind is Causes.REVIEWER_JWT_NOT_ACCEPTED
    assert cause.line == LINE + "we have no record of it"
    assert all(one.kind is Causes.REVIEWER_JWT_NOT_ACCEPTED for one in rest)


@pytest.mark.parametrize(
    ("mode", "changed", "kind"),
    [
        ("secret", {}, Causes.NOT_THE_REVIEWER_JWT),
        ("secret", {"proved": True}, Causes.BEYOND_OUR_SIGHT),
        ("secret", {"sha256": "f" * 64}, Causes.REVIEWER_JWT_NOT_ACCEPTED),
        ("secret", {"service_account_uid": "old-uid"}, Causes.REVIEWER_JWT_NOT_ACCEPTED),
        ("token-request", {"expires": WRITTEN.replace(year=2100)}, Causes.NOT_THE_REVIEWER_JWT),
        (
            "token-request",
            {"expires": WRITTEN.replace(year=2100), "proved": True},
            Causes.BEYOND_OUR_SIGHT,
        ),
        ("token-request", {"expires": WRITTEN}, Causes.REVIEWER_JWT_NOT_ACCEPTED),
    ],
)
def test_a_jwt_that_our_record_excludes_is_not_blamed_and_what_was_just_tried_is_no_remedy(
    scene: Scene, mode: str, changed: dict[str, Any], kind: Kind
) -> None:
    scene.reviewer_jwt_of_nobody()
    scene.wanted = wanted(reviewer_token=mode, namespaces=("payments",))
    sha = digest(SecretStr(scene.reviewer_token()))
    kept = ReviewerRecord(sha, None, scene.uid(ESO, "eso-vault-auth"), WRITTEN, "", proved=False)
    scene.record = replace(kept, **changed)
    cause = scene.diagnose().causes[0]
    assert cause.kind is kind
    is_the_jwt = kind is Causes.REVIEWER_JWT_NOT_ACCEPTED
    assert cause.remedy.startswith("Run enable-cluster again") is is_the_jwt
    assert ("enable-cluster" in cause.remedy) is (kind is not Causes.NOT_THE_REVIEWER_JWT)
    if not is_the_jwt:
        assert "most likely refuses" not in cause.answer
        assert f"Vault does not reach {scene.api.url}, or the ServiceAccount's entity is" in cause.answer
        assert "`tokenreviews`" in cause.remedy


def test_a_jwt_with_which_another_account_logs_in_is_not_blamed(scene: Scene) -> None:
    scene.diagnose()
    disable_entity(scene, "payments")
    (cause,) = scene.diagnose().causes
    assert cause.line.startswith(
        "Vault, login of payments/vault-secret-fetcher: is refused, but not because of the reviewer JWT: "
        "web/vault-secret-fetcher logs in with it. "
    )


def test_what_is_unreachable_from_here_is_a_warning_where_the_login_works() -> None:
    findings = Findings()
    findings.say("Does it answer?", Causes.HOST_UNREACHABLE.of(host="https://api", why="connection refused"))
    findings.tried.append(LoginTried("payments", True, "200"))
    examination = findings.conclude()
    assert (examination.causes, len(examination.warnings)) == ((), 1)
    assert examination.line.startswith("the login works; but OpenShift, https://api")


def test_a_fault_that_will_break_logins_is_one_although_a_kept_connection_lives(
    scene: Scene, vault: VaultServer
) -> None:
    assert scene.diagnose().line == "the login works"
    # As after a change of the API server's certificate. Vault goes on over the connection that it has.
    scene.change_config(kubernetes_ca_cert=vault.ca_pem)
    scene.connection = ApiServer(scene.api.url, vault.ca_pem)
    examination = scene.diagnose()
    assert examination.works
    assert examination.causes == (Causes.CA_DID_NOT_SIGN.of(host=scene.api.url),)
    assert "; it still works until Vault reconnects. " in examination.line
    assert "; it still works until Vault reconnects. " in str(failure(examination))


def test_a_fault_of_one_namespace_does_not_blame_what_the_other_proves(scene: Scene) -> None:
    scene.delete_account("web", "vault-secret-fetcher")
    (cause,) = scene.diagnose().causes
    assert cause == Causes.STARTER_MISSING.of(account="web/vault-secret-fetcher")


def test_of_two_faults_the_one_where_vault_stops_leads(scene: Scene) -> None:
    scene.admin.write(POLICY, {"policy": 'path "billing/*" { capabilities = ["read"] }'})
    scene.change_config(kubernetes_host=scene.closed_port())
    assert scene.diagnose().causes[0].kind is Causes.CONFIG_DIFFERS
    scene.change_config(kubernetes_host=scene.api.url)
    assert scene.diagnose().causes[0].kind is Causes.POLICY_LACKS_RULE


def test_a_cluster_that_does_not_answer_is_no_guess_at_the_login(scene: Scene) -> None:
    scene.api.stop()
    try:
        cause = scene.diagnose().causes[0]
    finally:
        scene.api.start()
    # The host of Vault's config is that very cluster, seen from here.
    assert cause == Causes.HOST_UNREACHABLE.of(host=scene.api.url, why="connection refused")
