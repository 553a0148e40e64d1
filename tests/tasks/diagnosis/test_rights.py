"""What the printed rights let the diagnosis look at, and what it says where they are narrower."""

from __future__ import annotations

import pytest

from runbook.diagnosis.causes import Causes
from tests.operator_by_hand import NOT_VALID
from tests.rights import policy_of_the_tests, token_with
from tests.tasks.conftest import client, request
from tests.tasks.diagnosis.scene import CONFIG, MOUNT, POLICY, ROLE, Scene

pytestmark = pytest.mark.long

STORES = ("payments", "web")
BINDS_ANYBODY = {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"]}
IN_VAULT = {
    "sys/auth": "Is auth/ember-k8s of type kubernetes?",
    "sys/mounts": "Is k8s_secrets/ there?",
    CONFIG: "Was the config written?",
    ROLE: "Is role emea-ops there?",
    POLICY: "Does policy emea-kv-r exist?",
}
ON_THE_CLUSTER = {
    ("namespaces", ""): "Is ServiceAccount payments/vault-secret-fetcher there?",
    ("secrets", ""): "Is the reviewer's token Secret there?",
    ("serviceaccounts", ""): "Is ServiceAccount external-secrets-operator/eso-vault-auth there?",
    ("serviceaccounts", "payments"): "Is ServiceAccount payments/vault-secret-fetcher there?",
    ("subjectaccessreviews", ""): "May external-secrets-operator/eso-vault-auth create tokenreviews?",
    ("customresourcedefinitions", ""): "Is SecretStore payments/opf-vault-store Ready?",
    ("secretstores", "payments"): "Is SecretStore payments/opf-vault-store Ready?",
    ("externalsecrets", "payments"): "Are the ExternalSecrets of payments/opf-vault-store synced?",
}


def with_stores(scene: Scene) -> Scene:
    operator = scene.operator()
    for namespace in STORES:
        operator.bring_store(namespace)
    return scene


def not_known(scene: Scene) -> list[str]:
    examination = scene.diagnose()
    assert examination.line == "the login works"
    return [row.question for row in examination.rows if row.mark == "not known"]


@pytest.mark.parametrize("mode", ["secret", "token-request"])
def test_under_the_printed_rights_nothing_is_not_known(scene: Scene, mode: str) -> None:
    scene.wanted = request(reviewer_token=mode)
    assert not_known(with_stores(scene)) == []


def test_the_other_roles_are_named_where_one_may_list_them(scene: Scene) -> None:
    scene.delete(ROLE)
    scene.admin.write(f"auth/{MOUNT}/role/EMEA-Operators", BINDS_ANYBODY)
    cause = scene.diagnose().causes[0]
    # The server lower-cases names.
    assert cause == Causes.ROLE_MISSING.of(mount=MOUNT, role="emea-ops", there="emea-operators")
    narrow = policy_of_the_tests(scene.vault).replace(f'path "auth/{MOUNT}/role" ', 'path "unused" ')
    with client(scene.vault, token_with(scene.vault, narrow)) as scene.pipeline:
        cause = scene.diagnose().causes[0]
        assert cause == Causes.ROLE_MISSING.of(mount=MOUNT, role="emea-ops", there="not known")


def test_without_a_right_in_vault_that_question_alone_is_not_known(scene: Scene) -> None:
    with_stores(scene)
    for taken, question in IN_VAULT.items():
        left = [f'path "{path}" {{ capabilities = ["read"] }}' for path in IN_VAULT if path != taken]
        with client(scene.vault, token_with(scene.vault, "\n".join(left))) as scene.pipeline:
            if taken == CONFIG:
                # Where Vault would send a token is not known then, so that none is sent.
                assert scene.diagnose().causes[0].kind is Causes.LOGIN_NOT_TRIED
            else:
                assert not_known(scene) == [question], taken


def test_without_a_right_on_the_cluster_that_question_alone_is_not_known(scene: Scene) -> None:
    with_stores(scene)
    for (resource, namespace), question in ON_THE_CLUSTER.items():
        scene.take_right(resource, namespace)
        asked = not_known(scene)
        scene.end_what_is_for_now()
        of_both = {question, question.replace("payments/", "web/")} if not namespace else {question}
        assert set(asked) == of_both, (resource, namespace)


def test_without_events_a_store_is_not_ready_for_a_reason_that_is_not_said(scene: Scene) -> None:
    operator = with_stores(scene).operator()
    operator.judge("payments", NOT_VALID)
    operator.tell("payments", ("Warning", "InvalidProviderConfig", "Vault is sealed"))
    scene.take_right("events", "payments")
    (cause,) = scene.diagnose().causes
    assert cause.kind is Causes.STORE_NOT_READY
    assert "Event" not in cause.answer
