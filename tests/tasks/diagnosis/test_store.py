"""What is said of the operator's SecretStores: by the diagnosis, and by the run that waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from runbook.diagnosis import AudienceNotInToken, StoreMissing, StoreNotReady
from runbook.errors import VerificationFailed
from tasks.verify import await_store
from tests.operator_by_hand import NOT_VALID, STORE, VALID, Operator
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import Scene

pytestmark = pytest.mark.long

OURS = f"payments/{STORE}"
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
SYNC = "Sync the cluster's cluster-resources Application in ArgoCD; it comes with the pull request."


def refused(operator: Operator) -> None:
    operator.bring_store("payments", NOT_VALID)
    operator.tell("payments", ("Normal", "Created", "seen"), REFUSED)


def by_nobody(operator: Operator) -> None:
    operator.bring_store("payments", None)


def missing(operator: Operator) -> None:
    """The other namespace has its own."""


def without_kinds(operator: Operator) -> None:
    operator.remove_kinds()


BROKEN = [
    pytest.param(refused, f"is not Ready: InvalidProviderConfig: unable to create client (Event: {EVENT})"),
    pytest.param(by_nobody, "is not Ready: no operator has looked at it"),
    pytest.param(missing, "is not there, or not in a version that the cluster serves"),
    pytest.param(without_kinds, "is not there, or not in a version that the cluster serves"),
]


def broken(scene: Scene, break_it: Callable[[Operator], None]) -> Operator:
    """The operator runs, the store of ``web`` is Ready, and that of ``payments`` is broken."""
    operator = scene.operator()
    operator.bring_store("web")
    break_it(operator)
    return operator


@pytest.mark.parametrize(("break_it", "answer"), BROKEN)
def test_what_is_wrong_with_a_store_is_one_line_with_the_operators_last_word(
    scene: Scene, break_it: Callable[[Operator], None], answer: str
) -> None:
    broken(scene, break_it)
    examination = scene.diagnose()
    cause = examination.causes[0]
    assert cause.line == f"OpenShift, SecretStore {OURS}: {answer}"
    assert isinstance(cause, StoreNotReady if "not Ready" in answer else StoreMissing)
    others = [one.line.partition(":")[0] for one in examination.causes[1:]]
    assert others == (["OpenShift, SecretStore web/opf-vault-store"] if break_it is without_kinds else [])
    assert examination.line == f"{cause.line}. {cause.remedy}"


@pytest.mark.parametrize(("break_it", "answer"), BROKEN)
def test_a_run_that_waits_for_the_store_in_vain_says_the_same(
    scene: Scene, break_it: Callable[[Operator], None], answer: str
) -> None:
    broken(scene, break_it)
    with pytest.raises(VerificationFailed) as failed:
        await_store(scene.openshift, scene.wanted, "payments", timeout=0)
    remedy = SYNC if "not there" in answer else "The login itself works from here. Check that the operator"
    assert str(failed.value).startswith(f"OpenShift, SecretStore {OURS}: {answer}; waited 0 s. {remedy}")


def test_stores_that_are_ready_are_proved_and_no_fault(scene: Scene) -> None:
    operator = scene.operator()
    for namespace in ("payments", "web"):
        operator.bring_store(namespace)
    examination = scene.diagnose()
    assert examination.line == "the login works"
    marks = {row.question: row.mark for row in examination.rows}
    assert marks[f"Is SecretStore {OURS} Ready?"] == "right"
    proof = await_store(scene.openshift, scene.wanted, "payments", timeout=0)
    assert (proof.claim, proof.proved, proof.seen) == (
        f"SecretStore {OURS} is Ready",
        True,
        "store validated",
    )


def test_a_store_that_gets_ready_while_the_run_waits_is_proved(scene: Scene) -> None:
    operator = broken(scene, refused)
    looks = scene.api.requests.count(("GET", STORE_PATH))

    def mend_once_it_was_looked_at() -> None:
        deadline = time.monotonic() + 30
        while scene.api.requests.count(("GET", STORE_PATH)) == looks and time.monotonic() < deadline:
            time.sleep(0.02)
        operator.judge("payments", VALID)

    mending = threading.Thread(target=mend_once_it_was_looked_at)
    mending.start()
    try:
        assert await_store(scene.openshift, scene.wanted, "payments", timeout=60).proved
    finally:
        mending.join()


@pytest.mark.parametrize("replicas", [None, 0])
def test_where_no_operator_works_nothing_is_claimed_of_the_stores(scene: Scene, replicas: int | None) -> None:
    if replicas is not None:
        scene.operator(replicas=replicas)
    examination = scene.diagnose()
    assert examination.line == "the login works"
    (row,) = [row for row in examination.rows if row.question == "Are the SecretStores Ready?"]
    assert (row.mark, row.answer) == ("not known", "no ESO on this cluster")
    proof = await_store(scene.openshift, scene.wanted, "payments", timeout=0)
    assert (proof.proved, proof.seen) == (None, "not proved: no ESO on this cluster")


def test_what_keeps_the_login_from_working_is_said_before_what_the_operator_says_of_it(scene: Scene) -> None:
    broken(scene, refused)
    scene.wanted = request(namespaces=("payments",))
    scene.change_role(audience="vault")
    first, second = scene.diagnose().causes
    assert isinstance(first, AudienceNotInToken)
    assert isinstance(second, StoreNotReady)
    assert second.event.startswith("Warning InvalidProviderConfig: unable to log in")
