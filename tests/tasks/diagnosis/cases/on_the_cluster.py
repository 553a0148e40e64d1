"""What is wrong on the cluster."""

from __future__ import annotations

import datetime

from runbook.diagnosis.causes import Causes
from tests.kubernetes_objects import ESO
from tests.operator_by_hand import NOT_VALID, STORE, Operator
from tests.tasks.conftest import request
from tests.tasks.diagnosis.cases.case import REVIEWER, STARTER, case
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


def store_with_another_path(scene: Scene) -> None:
    scene.wanted = request(namespaces=("payments",))
    operator = scene.operator()
    operator.vault = scene.provider(path="secret")
    operator.bring_store("payments")


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


_ACCOUNT = f"payments/{STARTER}"
ON_THE_CLUSTER = [
    case(
        Causes.NAMESPACE_MISSING,
        lambda scene: setattr(scene, "wanted", request(namespaces=("payments", "nowhere"))),
        lambda scene: setattr(scene, "wanted", request()),
        namespace="nowhere",
    ),
    case(
        Causes.STARTER_MISSING,
        lambda scene: scene.delete_account("web", STARTER),
        Scene.sync,
        account=f"web/{STARTER}",
    ),
    *(
        case(
            Causes.STARTER_REMADE,
            break_it,
            # "Run again": a diagnosis asks for a new token, as the operator does.
            lambda scene: None,
            account=_ACCOUNT,
            uid="{new}",
            token_uid="{old}",
        )
        for break_it in (remade_before_the_review, remade_before_the_login)
    ),
    case(
        Causes.CLIENT_TOKEN_EXPIRED,
        clock_that_stands,
        Scene.end_what_is_for_now,
        account=_ACCOUNT,
        ended="2020-01-01 00:10:00",
        vault_clock="{now}",
    ),
    case(Causes.REVIEWER_MAY_NOT_REVIEW, lambda scene: scene.cluster.unbind_reviewer(), Scene.sync),
    case(Causes.REVIEWER_MISSING, lambda scene: scene.delete_account(ESO, REVIEWER), Scene.sync_and_enable),
    case(
        Causes.REVIEWER_SECRET_MISSING,
        lambda scene: scene.cluster.delete_token_secret(),
        Scene.sync_and_enable,
    ),
    case(Causes.REVIEWER_SECRET_EMPTY, secret_not_filled, filled_after_all),
    case(
        Causes.CLIENT_TOKEN_REFUSED,
        lambda scene: scene.for_now(scene.api.issuing_with_another_key()),
        account=_ACCOUNT,
        words="[invalid bearer token, invalid signature, no keys found]",
    ),
    case(
        Causes.STORE_MISSING,
        lambda scene: scene.operator().bring_store("web"),
        lambda scene: Operator(scene.cluster, scene.provider()).bring_store("payments"),
        kind="SecretStore",
        store=f"payments/{STORE}",
    ),
    case(
        Causes.STORE_DIFFERS,
        store_with_another_path,
        kind="SecretStore",
        store=f"payments/{STORE}",
        differences="path is secret, not k8s_secrets",
        seen="Valid: store validated",
    ),
    case(
        Causes.STORE_NOT_READY,
        store_not_ready,
        kind="SecretStore",
        store=f"payments/{STORE}",
        seen="InvalidProviderConfig: unable to create client",
        event=" (Event: Warning InvalidProviderConfig: Vault is sealed)",
    ),
]
