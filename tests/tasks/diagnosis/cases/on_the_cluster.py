"""What is wrong on the cluster."""

from __future__ import annotations

import datetime

from runbook.diagnosis import (
    ClientTokenExpired,
    ClientTokenRefused,
    NamespaceMissing,
    ReviewerMayNotReview,
    ReviewerMissing,
    ReviewerSecretEmpty,
    ReviewerSecretMissing,
    StarterMissing,
    StarterRemade,
    StoreMissing,
    StoreNotReady,
)
from tests.kubernetes_objects import ESO
from tests.operator_by_hand import NOT_VALID, STORE, Operator
from tests.tasks.conftest import request
from tests.tasks.diagnosis.cases.case import REVIEWER, SECRET, STARTER, Case
from tests.tasks.diagnosis.scene import Scene


def clock_that_stands(scene: Scene) -> None:
    """The cluster's clock is years behind; what it issues there ends there, 10 minutes later."""
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    scene.for_now(scene.api.clock_at(moment))


def remade_before_the_review(scene: Scene) -> None:
    """Made anew right after its token was issued: when the cluster is asked for the reviewer."""
    scene.meanwhile_on_the_cluster(
        f"GET /api/v1/namespaces/{ESO}/serviceaccounts/{REVIEWER}",
        lambda: scene.remake_account("payments", STARTER),
    )


def remade_before_the_login(scene: Scene) -> None:
    """Made anew when all questions are asked, and the login is on its way to Vault."""
    scene.meanwhile_at_vault("POST auth/ember-k8s/login", lambda: scene.remake_account("payments", STARTER))


def store_missing(scene: Scene) -> None:
    scene.operator().bring_store("web")


def store_not_ready(scene: Scene) -> None:
    operator = scene.operator()
    operator.bring_store("payments", NOT_VALID)
    operator.bring_store("web")
    operator.tell("payments", ("Warning", "InvalidProviderConfig", "Vault is sealed"))


def secret_not_filled(scene: Scene) -> None:
    """The controller that fills token Secrets is down; the old token has died with the old Secret."""
    scene.for_now(scene.api.without_controllers())
    scene.remake_secret({})


def filled_after_all(scene: Scene) -> None:
    """The controller is up again and looks at the Secret; a run follows."""
    scene.end_what_is_for_now()
    scene.remake_secret({})
    scene.sync_and_enable()


ON_THE_CLUSTER = [
    Case(
        "the namespace is missing",
        NamespaceMissing,
        lambda scene: setattr(scene, "wanted", request(namespaces=("payments", "nowhere"))),
        "OpenShift, namespace nowhere: is not there",
        lambda scene: setattr(scene, "wanted", request()),
    ),
    Case(
        "the starter ServiceAccount is missing",
        StarterMissing,
        lambda scene: scene.delete_account("web", STARTER),
        f"OpenShift, ServiceAccount web/{STARTER}: is not there",
        Scene.sync,
    ),
    *(
        Case(
            f"the starter ServiceAccount was made anew before the {moment}",
            StarterRemade,
            break_it,
            f"OpenShift, ServiceAccount payments/{STARTER}: was deleted and made anew: its uid is {{new}}, "
            "the client's token is of {old}",
            # "Run again": a diagnosis asks for a new token, as the operator does.
            lambda scene: None,
        )
        for moment, break_it in (("review", remade_before_the_review), ("login", remade_before_the_login))
    ),
    Case(
        "the client's token has expired",
        ClientTokenExpired,
        clock_that_stands,
        f"OpenShift, token of payments/{STARTER}: expired at 2020-01-01 00:10:00 UTC; Vault's clock says "
        "{found.vault_clock:%Y-%m-%d %H:%M:%S}",
        Scene.end_what_is_for_now,
    ),
    Case(
        "the reviewer has no auth-delegator",
        ReviewerMayNotReview,
        lambda scene: scene.cluster.unbind_reviewer(),
        f"OpenShift, ServiceAccount {ESO}/{REVIEWER}: may not create tokenreviews: it is not bound to "
        "system:auth-delegator",
        Scene.sync,
    ),
    Case(
        "the reviewer's ServiceAccount is missing",
        ReviewerMissing,
        lambda scene: scene.delete_account(ESO, REVIEWER),
        f"OpenShift, ServiceAccount {ESO}/{REVIEWER}: is not there, so the reviewer JWT that Vault has of "
        "it is not accepted",
        Scene.sync_and_enable,
    ),
    Case(
        "the reviewer's token Secret is missing",
        ReviewerSecretMissing,
        lambda scene: scene.cluster.delete_token_secret(),
        f"OpenShift, {SECRET}: is not there; a token that Vault has of it died with it",
        Scene.sync_and_enable,
    ),
    Case(
        "the reviewer's token Secret is not filled",
        ReviewerSecretEmpty,
        secret_not_filled,
        f"OpenShift, {SECRET}: has no token: the cluster has not filled it",
        filled_after_all,
    ),
    Case(
        "the client's token is refused",
        ClientTokenRefused,
        lambda scene: scene.for_now(scene.api.issuing_with_another_key()),
        f"OpenShift, token of payments/{STARTER}: is refused by the API server that Vault asks: [invalid "
        "bearer token, invalid signature, no keys found]",
    ),
    Case(
        "the operator's SecretStore is missing",
        StoreMissing,
        store_missing,
        f"OpenShift, SecretStore payments/{STORE}: is not there, or not in a version that the cluster serves",
        lambda scene: Operator(scene.cluster).bring_store("payments"),
    ),
    Case(
        "the operator's SecretStore is not Ready",
        StoreNotReady,
        store_not_ready,
        f"OpenShift, SecretStore payments/{STORE}: is not Ready: InvalidProviderConfig: unable to create "
        "client (Event: Warning InvalidProviderConfig: Vault is sealed)",
    ),
]
