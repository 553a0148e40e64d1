"""What is said where no fault can be seen, what may not be looked at, and what a working login disproves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from deployments.sandbox.vault_server import VaultServer
from runbook.diagnosis import (
    CaDidNotSign,
    HostUnreachable,
    PolicyLacksRule,
    ReviewerJwtNotAccepted,
    StarterMissing,
)
from runbook.diagnosis.record import ReviewerRecord, digest
from tests.kubernetes_objects import ESO
from tests.tasks.conftest import request as wanted
from tests.tasks.diagnosis.scene import POLICY, Scene

pytestmark = pytest.mark.long

NOT_ACCEPTED = "Vault's reviewer JWT is not accepted by the API server; all else is right"
LINE = f"Vault, auth/ember-k8s/config: {NOT_ACCEPTED}; "
WRITTEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_where_all_is_well_it_says_so_in_every_mode(scene: Scene) -> None:
    assert scene.diagnose().line == "the login works"
    scene.wanted = wanted(reviewer_token="token-request")
    assert scene.diagnose().line == "the login works"


def test_a_jwt_that_only_vault_holds_is_found_by_excluding_all_else(scene: Scene) -> None:
    scene.reviewer_jwt_of_nobody()
    (cause, *rest) = scene.diagnose().causes
    assert isinstance(cause, ReviewerJwtNotAccepted)
    assert cause.line == LINE + "we have no record of it"
    assert all(isinstance(one, ReviewerJwtNotAccepted) for one in rest)


@pytest.mark.parametrize("what", ["same Secret", "other Secret", "ended", "account made anew"])
def test_our_record_tells_what_became_of_that_jwt(scene: Scene, what: str) -> None:
    scene.reviewer_jwt_of_nobody()
    uid = scene.uid(ESO, "eso-vault-auth")
    sha = digest(SecretStr(scene.reviewer_token()))
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    at = "our record: written at 2026-01-02 03:04 UTC, sha256 "
    records = {
        "same Secret": (
            ReviewerRecord(sha, None, uid, WRITTEN, ""),
            f"{at}{sha[:16]}, ends with its Secret, of ServiceAccount uid {uid}, the Secret still holds that "
            "token, so somebody wrote another one to Vault",
        ),
        "other Secret": (
            ReviewerRecord("f" * 64, None, uid, WRITTEN, ""),
            f"{at}{'f' * 16}, ends with its Secret, of ServiceAccount uid {uid}, the Secret holds another "
            "token since",
        ),
        "ended": (
            ReviewerRecord("f" * 64, ended, uid, WRITTEN, ""),
            f"{at}{'f' * 16}, ended at {ended:%Y-%m-%d %H:%M} UTC, of ServiceAccount uid {uid}",
        ),
        "account made anew": (
            ReviewerRecord("f" * 64, ended, "old-uid", WRITTEN, ""),
            f"{at}{'f' * 16}, ended at {ended:%Y-%m-%d %H:%M} UTC, of ServiceAccount uid old-uid, which was "
            f"made anew since: now {uid}",
        ),
    }
    scene.record, words = records[what]
    assert scene.diagnose().causes[0].line == LINE + words


def test_a_login_that_works_turns_what_is_seen_from_here_into_a_warning(
    scene: Scene, vault: VaultServer
) -> None:
    assert scene.diagnose().line == "the login works"
    # Vault goes on over the connection that it has: only the next one would fail.
    scene.change_config(kubernetes_ca_cert=vault.ca_pem)
    examination = scene.diagnose()
    assert examination.causes == ()
    assert examination.line.startswith("the login works; but OpenShift, ")
    assert examination.warnings == (CaDidNotSign(scene.api.url),)


def test_a_fault_of_one_namespace_does_not_blame_what_the_other_proves(scene: Scene) -> None:
    scene.delete_account("web", "vault-secret-fetcher")
    (cause,) = scene.diagnose().causes
    assert cause == StarterMissing("web/vault-secret-fetcher")


def test_of_two_faults_the_one_where_vault_stops_leads(scene: Scene) -> None:
    scene.admin.write(POLICY, {"policy": 'path "billing/*" { capabilities = ["read"] }'})
    scene.change_config(kubernetes_host=scene.closed_port())
    assert isinstance(scene.diagnose().causes[0], HostUnreachable)
    scene.change_config(kubernetes_host=scene.api.url)
    assert isinstance(scene.diagnose().causes[0], PolicyLacksRule)


def test_a_cluster_that_does_not_answer_is_no_guess_at_the_login(scene: Scene) -> None:
    scene.api.stop()
    try:
        cause = scene.diagnose().causes[0]
    finally:
        scene.api.start()
    # The host of Vault's config is that very cluster, seen from here.
    assert cause == HostUnreachable(scene.api.url, "connection refused")
