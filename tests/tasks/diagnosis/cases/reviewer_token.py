"""What is wrong with the reviewer's token that a run would write."""

from __future__ import annotations

import base64
from collections.abc import Callable

from runbook.diagnosis.cause import Kind
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.remedies import SECRET
from tests.kubernetes_objects import ESO, Cluster
from tests.tasks.diagnosis.cases.case import API, REVIEWER, STARTER, case, jwt_of, noted
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


_OF_ANOTHER = Causes.REVIEWER_TOKEN_OF_ANOTHER_CLUSTER
_OF_FORMER = Causes.REVIEWER_TOKEN_OF_FORMER_ACCOUNT
_TOKENS: list[tuple[Kind, Callable[[Scene], str], dict[str, str]]] = [
    (Causes.REVIEWER_TOKEN_GARBAGE, lambda scene: "garbage", {}),
    (
        Causes.REVIEWER_TOKEN_STILL_BASE64,
        lambda scene: base64.b64encode(scene.reviewer_token().encode()).decode(),
        {},
    ),
    (
        Causes.REVIEWER_TOKEN_EXPIRED,
        lambda scene: noted(scene, jwt_of(scene, ESO, REVIEWER, lifetime=-600)),
        {"ended": "{ended}"},
    ),
    (
        Causes.REVIEWER_TOKEN_OF_SOMEBODY_ELSE,
        lambda scene: jwt_of(scene, "payments", STARTER),
        {"account": f"payments/{STARTER}"},
    ),
    (
        _OF_ANOTHER,
        lambda scene: scene.another_cluster().sign_token(ESO, REVIEWER, lifetime=3600),
        {"issuer": API},
    ),
    (_OF_ANOTHER, of_secret_of_another_cluster, {"issuer": "kubernetes/serviceaccount"}),
    (
        Causes.REVIEWER_TOKEN_OF_WRONG_AUDIENCE,
        lambda scene: jwt_of(scene, ESO, REVIEWER, audiences=["vault"]),
        {"audiences": "vault", "wanted": API},
    ),
    (_OF_FORMER, token_of_former_reviewer, {"token_uid": "{old}", "uid": "{new}"}),
    (_OF_FORMER, of_secret_of_former_reviewer, {"token_uid": "{old}", "uid": "{new}"}),
    (
        Causes.REVIEWER_TOKEN_REFUSED,
        lambda scene: otherwise_signed(jwt_of(scene, ESO, REVIEWER)),
        {"words": "401 Unauthorized"},
    ),
]
OF_THE_TOKEN_TO_WRITE = [
    case(cause, dead_reviewer_and_secret(token), new_secret, source=SECRET, **fields)
    for cause, token, fields in _TOKENS
]
