"""What is said of the operator's SecretStores: by the diagnosis, and by the run that waits for them."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from change.gate.lack import Lacking, look_briefly
from runbook.application_names import ApplicationNames
from runbook.diagnosis.causes import Causes
from runbook.errors import VerificationFailed
from runbook.report import READY, Proof
from sandbox.certificates import CertificateAuthority
from tasks.diagnosis.store import ALIVE, Look, OperatorSeen, look_at_store
from tasks.verify import POLL, Stores
from tests.eventually import eventually
from tests.operator_by_hand import NOT_VALID, STORE, VALID, Operator
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import Scene

pytestmark = pytest.mark.long

OURS = f"payments/{STORE}"
KINDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/secretstores.external-secrets.io"
STORE_PATH = f"/apis/external-secrets.io/v1/namespaces/payments/secretstores/{STORE}"

# As ESO 2.9 writes it: the whole answer of Vault, with its lines.
REFUSED = (
    "Warning",
    "InvalidProviderConfig",
    "unable to log in to auth method: unable to log in with Kubernetes auth: Error making API request.\n\n"
    "URL: PUT https://vault.example.com/v1/auth/ember-k8s/login\nCode: 403. Errors:\n\n* permission denied",
)
EVENT = (
    "Warning InvalidProviderConfig: unable to log in to auth method: unable to log in with Kubernetes auth: "
    "Error making API request. URL: PUT https://vault.example.com/v1/auth/ember-k8s/login Code: 403. Errors: "
    "* permission denied"
)


def awaited(scene: Scene, timeout: float, **more: Any) -> Proof:
    """What a run says that waits for the store of ``payments`` alone."""
    stores = Stores(scene.openshift, scene.store, ["payments"], timeout, **more)
    found = look_briefly(datetime.now(UTC) + timedelta(seconds=timeout), POLL, stores.look)
    assert not isinstance(found, Lacking)
    (proof,) = found
    return proof


def look_at(scene: Scene, now: datetime) -> Look:
    return look_at_store(OperatorSeen(scene.openshift, scene.store), "payments", now)


def refused(operator: Operator) -> None:
    operator.bring_store("payments", NOT_VALID)
    operator.tell("payments", ("Normal", "Created", "seen"), REFUSED)


def by_nobody(operator: Operator) -> None:
    operator.bring_store("payments", None)


def missing(operator: Operator) -> None:
    """The other namespace has its own."""


def broken(scene: Scene, break_it: Callable[[Operator], None]) -> Operator:
    """The operator runs, the store of ``web`` is Ready, and that of ``payments`` is broken."""
    operator = scene.operator()
    operator.bring_store("web")
    break_it(operator)
    return operator


@pytest.mark.parametrize(
    ("break_it", "answer"),
    [
        (refused, f"is not Ready: InvalidProviderConfig: unable to create client (Event: {EVENT})"),
        (by_nobody, "is not Ready: no operator has reconciled it"),
        (missing, "is not there, or not in a version that the cluster serves"),
        (Operator.remove_kinds, "is not there, or not in a version that the cluster serves"),
    ],
)
def test_what_is_wrong_with_a_store_is_one_line_with_the_operators_last_word(
    scene: Scene, break_it: Callable[[Operator], None], answer: str
) -> None:
    broken(scene, break_it)
    examination = scene.diagnose()
    cause = examination.causes[0]
    assert cause.line == f"OpenShift, SecretStore {OURS}: {answer}"
    not_ready = "not Ready" in answer
    assert cause.kind is (Causes.STORE_NOT_READY if not_ready else Causes.STORE_MISSING)
    others = [one.line.partition(":")[0] for one in examination.causes[1:]]
    assert others == (
        ["OpenShift, SecretStore web/opf-vault-store"] if break_it is Operator.remove_kinds else []
    )
    assert examination.line == f"{cause.line}. {cause.remedy}"
    # A run that waits for it in vain says the same.
    with pytest.raises(VerificationFailed) as failed:
        awaited(scene, timeout=0)
    assert str(failed.value) == f"{cause.line}; waited 0 s. {cause.remedy}"


def test_a_run_that_waits_for_the_store_in_vain_names_the_application_as_it_is_built(scene: Scene) -> None:
    broken(scene, missing)
    names = ApplicationNames(resources="resources-osc")
    with pytest.raises(VerificationFailed, match="In ArgoCD, sync resources-osc; it comes with"):
        awaited(scene, timeout=0, applications=names)


def test_stores_that_are_ready_are_proved_and_no_fault(scene: Scene) -> None:
    operator = scene.operator()
    for namespace in ("payments", "web"):
        operator.bring_store(namespace)
    examination = scene.diagnose()
    assert examination.line == "the login works"
    marks = {row.question: row.mark for row in examination.rows}
    assert marks[f"Is SecretStore {OURS} Ready?"] == "right"
    proof = awaited(scene, timeout=0)
    assert (proof.claim, proof.proved, proof.store) == (f"SecretStore {OURS} is Ready", True, READY)
    assert proof.seen.startswith("store validated")


def test_versions_seen_before_are_asked_anew_only_where_the_store_is_not_found_in_them(scene: Scene) -> None:
    scene.operator().bring_store("payments")

    def asked_anew(*versions: str) -> bool:
        begin = len(scene.api.requests)
        assert awaited(scene, timeout=0, versions=versions).store == READY
        return ("GET", KINDS_PATH) in scene.api.requests[begin:]

    assert not asked_anew("v1")
    assert asked_anew("v1alpha1")
    assert asked_anew()


def test_a_store_that_gets_ready_while_the_run_waits_is_proved(scene: Scene) -> None:
    operator = broken(scene, refused)
    looks = scene.api.requests.count(("GET", STORE_PATH))

    def mend_once_it_was_looked_at() -> None:
        eventually(lambda: scene.api.requests.count(("GET", STORE_PATH)) > looks)
        operator.judge("payments", VALID)

    mending = threading.Thread(target=mend_once_it_was_looked_at)
    mending.start()
    try:
        assert awaited(scene, timeout=60).proved
    finally:
        mending.join()


OLD = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("operator", "condition", "proved", "seen"),
    [
        ({}, None, None, "not proved: no ESO on this cluster: it does not serve secretstores."),
        # A Deployment without the chart's label, or in another cluster.
        ({"replicas": None}, VALID, True, "store validated"),
        ({"replicas": 0}, None, None, "not proved: no operator has reconciled it yet"),
        ({"replicas": 0}, NOT_VALID, False, "is not Ready: InvalidProviderConfig: unable to create client"),
    ],
)
def test_an_operator_is_known_by_what_it_does(
    scene: Scene, operator: dict[str, Any], condition: Any, proved: bool | None, seen: str
) -> None:
    scene.wanted = request(namespaces=("payments",))
    if operator:
        scene.operator(**operator).bring_store("payments", condition)
    examination = scene.diagnose()
    (row,) = [row for row in examination.rows if row.question == f"Is SecretStore {OURS} Ready?"]
    assert row.mark == {True: "right", False: "wrong", None: "not known"}[proved]
    assert (examination.line == "the login works") is (proved is not False)
    if proved is False:
        with pytest.raises(VerificationFailed, match=seen):
            awaited(scene, timeout=0)
    else:
        proof = awaited(scene, timeout=0)
        assert (proof.proved, proof.seen[: len(seen)]) == (proved, seen)


@pytest.mark.parametrize(
    ("condition", "ready", "words"),
    [
        (
            VALID,
            None,
            "store validated, since 2026-01-01 00:00 UTC, but nothing reconciles this store: last ",
        ),
        (
            NOT_VALID,
            False,
            "is not Ready: InvalidProviderConfig: unable to create client; nothing reconciles ",
        ),
        (None, None, "nothing reconciles this store: last change "),
    ],
)
def test_a_store_of_which_no_operator_left_a_sign_for_long_is_reconciled_by_nothing(
    scene: Scene, condition: tuple[str, str, str] | None, ready: bool | None, words: str
) -> None:
    operator = scene.operator(replicas=0)
    operator.bring_store("payments", None)
    if condition:
        operator.judge("payments", condition, since=OLD)
    later = datetime.now(UTC) + ALIVE
    look = look_at(scene, later)
    assert (look.ready, look.words[: len(words)]) == (ready, words)
    operator.run(replicas=1)
    assert "nothing reconciles" not in look_at(scene, later).words


@pytest.mark.parametrize("condition", [VALID, None, NOT_VALID])
def test_a_run_takes_a_store_that_leads_elsewhere_as_somebodys_decision_unless_it_does_not_work(
    scene: Scene, condition: tuple[str, str, str] | None
) -> None:
    operator = scene.operator()
    operator.vault = scene.provider(server="https://vault.example.org")
    operator.bring_store("payments", condition)
    differs = f"server is https://vault.example.org, not {scene.vault.address}"
    if condition is NOT_VALID:
        with pytest.raises(VerificationFailed, match=re.escape(differs)):
            awaited(scene, timeout=0)
    else:
        # At once: there is nothing to wait for.
        proof = awaited(scene, timeout=60)
        assert (proof.proved, proof.seen.startswith(f"not proved: {differs}")) == (None, True)
        assert proof.store == f"SecretStore {OURS} points elsewhere"


@pytest.mark.parametrize(("condition", "is_said"), [(VALID, False), (NOT_VALID, True)])
def test_another_ca_is_said_where_the_store_does_not_work(
    scene: Scene, condition: tuple[str, str, str], is_said: bool
) -> None:
    scene.wanted = request(namespaces=("payments",))
    operator = scene.operator()
    bundle = base64.b64encode(CertificateAuthority("another").pem.encode()).decode()
    operator.vault = scene.provider(caBundle=bundle)
    operator.bring_store("payments", condition)
    assert ("caBundle is certificate, sha256" in scene.diagnose().line) is is_said


def test_external_secrets_of_our_store_that_are_not_synced_are_warnings_with_their_event(
    scene: Scene,
) -> None:
    scene.wanted = request(namespaces=("payments",))
    operator = scene.operator()
    operator.bring_store("payments")
    operator.bring_secret(
        "payments", "db", STORE, ("False", "SecretSyncedError", "could not get secret data")
    )
    operator.bring_secret("payments", "fine", STORE, ("True", "SecretSynced", "secret synced"))
    operator.bring_secret("payments", "theirs", "other", ("False", "SecretSyncedError", "no"))
    operator.tell_of("payments", "ExternalSecret", "db", ("Warning", "UpdateFailed", "no secret at emea/db"))
    examination = scene.diagnose()
    (warning,) = examination.warnings
    assert (examination.causes, warning.line) == (
        (),
        "OpenShift, ExternalSecret payments/db: is not synced: SecretSyncedError: could not get secret data "
        "(Event: Warning UpdateFailed: no secret at emea/db)",
    )


def test_what_keeps_the_login_from_working_is_said_before_what_the_operator_says_of_it(scene: Scene) -> None:
    broken(scene, refused)
    scene.wanted = request(namespaces=("payments",))
    scene.change_role(audience="vault")
    first, second = scene.diagnose().causes
    assert first.kind is Causes.AUDIENCE_NOT_IN_TOKEN
    assert second.kind is Causes.STORE_NOT_READY
    assert " (Event: Warning InvalidProviderConfig: unable to log in" in second.answer
