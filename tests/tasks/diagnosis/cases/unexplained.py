"""What is said where no fault can be seen."""

from __future__ import annotations

from runbook.diagnosis import CauseNotFound, LoginNotTried, ReviewerJwtNotAccepted
from tests.rights import token_with
from tests.tasks.conftest import client
from tests.tasks.diagnosis.cases.case import STARTER, Case
from tests.tasks.diagnosis.scene import Scene


def dead_and_out_of_sight(scene: Scene) -> None:
    """Vault's JWT is dead, and the pipeline's token may not look at role and config."""
    scene.reviewer_jwt_of_nobody()
    token = token_with(scene.vault, 'path "sys/auth" { capabilities = ["read"] }')
    scene.pipeline = scene.elsewhere.enter_context(client(scene.vault, token))


UNEXPLAINED = [
    Case(
        "Vault's reviewer JWT is dead",
        ReviewerJwtNotAccepted,
        Scene.reviewer_jwt_of_nobody,
        "Vault, auth/ember-k8s/config: Vault's reviewer JWT is not accepted by the API server; all else is "
        "right; we have no record of it",
        Scene.enable,
    ),
    Case(
        "the pipeline may ask for no token",
        LoginNotTried,
        lambda scene: scene.take_right("serviceaccounts/token", "payments"),
        f"OpenShift, token of payments/{STARTER}: could not be had, so the login was not tried: "
        f'token of ServiceAccount payments/{STARTER}: serviceaccounts "{STARTER}" is forbidden: User '
        '"system:serviceaccount:vault-enablement:pipeline" cannot create resource "serviceaccounts/token" in '
        'API group "" in the namespace "payments"',
        Scene.end_what_is_for_now,
    ),
    Case(
        "the pipeline may not look where the fault could be",
        CauseNotFound,
        dead_and_out_of_sight,
        f"Vault, login of payments/{STARTER}: is refused with 403 permission denied, and what could be "
        "looked at is right; not known: Is role emea-ops there? (auth/ember-k8s/role/emea-ops: may not read: "
        "403 1 error occurred: * permission denied); Was the config written? (auth/ember-k8s/config: may not "
        "read: 403 1 error occurred: * permission denied)",
    ),
]
