"""What is wrong with the reviewer's token that a run would write."""

from __future__ import annotations

import base64
from collections.abc import Callable

from runbook.diagnosis import (
    ReviewerTokenExpired,
    ReviewerTokenGarbage,
    ReviewerTokenOfAnotherCluster,
    ReviewerTokenOfFormerAccount,
    ReviewerTokenOfSomebodyElse,
    ReviewerTokenOfWrongAudience,
    ReviewerTokenRefused,
    ReviewerTokenStillBase64,
)
from tests.kubernetes_objects import ESO, Cluster
from tests.tasks.diagnosis.cases.case import API, REVIEWER, SECRET, STARTER, Case, jwt_of, noted
from tests.tasks.diagnosis.scene import REVIEWER_SECRET, Scene


def dead_reviewer_and_secret(token: Callable[[Scene], str]) -> Callable[[Scene], None]:
    """The Secret holds a bad token, and Vault has that very one."""

    def break_it(scene: Scene) -> None:
        bad = token(scene)
        scene.put_in_secret(bad)
        scene.change_config(token_reviewer_jwt=bad)

    return break_it


def token_of_former_reviewer(scene: Scene) -> str:
    old = jwt_of(scene, ESO, REVIEWER)
    scene.remake_account(ESO, REVIEWER)
    return old


def otherwise_signed(token: str) -> str:
    """The same claims with a signature that does not fit them."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def of_secret_of_former_reviewer(scene: Scene) -> str:
    """From a backup: what the Secret held, signed with the cluster's key for Secrets."""
    old = scene.reviewer_token()
    scene.remake_account(ESO, REVIEWER)
    return old


def of_secret_of_another_cluster(scene: Scene) -> str:
    """From the manifests of another cluster: all clusters' Secrets have tokens of the same issuer."""
    other = Cluster(scene.another_cluster())
    scene.elsewhere.callback(other.close)
    encoded = other.send("GET", REVIEWER_SECRET)["data"]["token"]
    return base64.b64decode(encoded).decode()


def new_secret(scene: Scene) -> None:
    """The Secret is deleted, the sync brings an empty one, the cluster fills it, and a run follows."""
    scene.cluster.delete_token_secret()
    scene.sync_and_enable()


TOKEN = f"OpenShift, reviewer's token ({SECRET})"

OF_THE_TOKEN_TO_WRITE = [
    Case(
        "garbage",
        ReviewerTokenGarbage,
        dead_reviewer_and_secret(lambda scene: "garbage"),
        f"{TOKEN}: is not a JWT",
        new_secret,
    ),
    Case(
        "still base64",
        ReviewerTokenStillBase64,
        dead_reviewer_and_secret(lambda scene: base64.b64encode(scene.reviewer_token().encode()).decode()),
        f"{TOKEN}: is still base64: a JWT that was encoded once too often",
        new_secret,
    ),
    Case(
        "expired",
        ReviewerTokenExpired,
        dead_reviewer_and_secret(lambda scene: noted(scene, jwt_of(scene, ESO, REVIEWER, lifetime=-600))),
        f"{TOKEN}: expired at {{ended}} UTC",
        new_secret,
    ),
    Case(
        "of another ServiceAccount",
        ReviewerTokenOfSomebodyElse,
        dead_reviewer_and_secret(lambda scene: jwt_of(scene, "payments", STARTER)),
        f"{TOKEN}: is of payments/{STARTER}, not of {ESO}/{REVIEWER}",
        new_secret,
    ),
    Case(
        "of another cluster",
        ReviewerTokenOfAnotherCluster,
        dead_reviewer_and_secret(
            lambda scene: scene.another_cluster().sign_token(ESO, REVIEWER, lifetime=3600)
        ),
        f"{TOKEN}: was not signed by this cluster (issuer {API}, with a key that is none of the "
        "cluster's own), which refuses it",
        new_secret,
    ),
    Case(
        "of the wrong audience",
        ReviewerTokenOfWrongAudience,
        dead_reviewer_and_secret(lambda scene: jwt_of(scene, ESO, REVIEWER, audiences=["vault"])),
        f"{TOKEN}: is for vault; the API server wants {API}",
        new_secret,
    ),
    Case(
        "of a deleted ServiceAccount",
        ReviewerTokenOfFormerAccount,
        dead_reviewer_and_secret(token_of_former_reviewer),
        f"{TOKEN}: is of a deleted ServiceAccount: its uid is {{old}}, that of "
        f"{ESO}/{REVIEWER} now is {{new}}",
        new_secret,
    ),
    Case(
        "from a Secret of a deleted ServiceAccount",
        ReviewerTokenOfFormerAccount,
        dead_reviewer_and_secret(of_secret_of_former_reviewer),
        f"{TOKEN}: is of a deleted ServiceAccount: its uid is {{old}}, that of "
        f"{ESO}/{REVIEWER} now is {{new}}",
        new_secret,
    ),
    Case(
        "from a Secret of another cluster",
        ReviewerTokenOfAnotherCluster,
        dead_reviewer_and_secret(of_secret_of_another_cluster),
        f"{TOKEN}: was not signed by this cluster (issuer kubernetes/serviceaccount, with a key that is none "
        "of the cluster's own), which refuses it",
        new_secret,
    ),
    Case(
        "of right claims and refused",
        ReviewerTokenRefused,
        dead_reviewer_and_secret(lambda scene: otherwise_signed(jwt_of(scene, ESO, REVIEWER))),
        f"{TOKEN}: is refused by the API server (401 Unauthorized), though its claims are right",
        new_secret,
    ),
]
