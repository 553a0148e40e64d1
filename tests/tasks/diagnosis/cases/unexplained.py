"""What is said where no fault can be seen."""

from __future__ import annotations

from dataclasses import replace

from pydantic import SecretStr

from runbook.diagnosis.causes import Causes
from runbook.diagnosis.record import ReviewerRecord, digest
from tests.kubernetes_objects import ESO
from tests.rights import token_with
from tests.tasks.conftest import client, request
from tests.tasks.diagnosis.cases.case import STARTER, case
from tests.tasks.diagnosis.scene import CONFIG, MOUNT, Scene, disable_entity


def dead_and_out_of_sight(scene: Scene) -> None:
    """Vault's JWT is dead, and the pipeline's token may look at the config alone."""
    scene.reviewer_jwt_of_nobody()
    token = token_with(scene.vault, f'path "{CONFIG}" {{ capabilities = ["read"] }}')
    scene.pipeline = scene.elsewhere.enter_context(client(scene.vault, token))


def entity_is_disabled(scene: Scene) -> None:
    scene.wanted = request(namespaces=("payments",))
    scene.diagnose()
    scene.values["entity"] = disable_entity(scene, "payments")


def entity_is_disabled_in_sight(scene: Scene) -> None:
    """The pipeline's token may look up entities, which the printed policy does not let it."""
    entity_is_disabled(scene)
    scene.pipeline = scene.admin


def written_in_vain(scene: Scene) -> None:
    entity_is_disabled(scene)
    token = SecretStr(scene.reviewer_token())
    uid = scene.uid(ESO, "eso-vault-auth")
    scene.record = ReviewerRecord(digest(token), None, uid, None, "", proved=False)
    scene.values |= {"sha": digest(token)[:16], "uid": uid}


def proved_before(scene: Scene) -> None:
    written_in_vain(scene)
    assert scene.record
    scene.record = replace(scene.record, proved=True)


def enabled_again(scene: Scene) -> None:
    scene.admin.write(f"identity/entity/name/{scene.values['entity']}", {"disabled": False})


_LOGIN = f"payments/{STARTER}"
_RECORD = (
    "our record: written, sha256 {sha}, expires with its Secret, of ServiceAccount uid {uid}, the Secret "
    "still has that token"
)
UNEXPLAINED = [
    case(Causes.ENTITY_DISABLED, entity_is_disabled_in_sight, enabled_again, entity="{entity}", login=_LOGIN),
    case(
        Causes.NOT_THE_REVIEWER_JWT,
        written_in_vain,
        enabled_again,
        login=_LOGIN,
        mount=MOUNT,
        host="{api}",
        because=f"{_RECORD}; the API server accepted it from this worker, and no login has worked since",
    ),
    case(
        Causes.BEYOND_OUR_SIGHT,
        proved_before,
        enabled_again,
        login=_LOGIN,
        mount=MOUNT,
        host="{api}",
        record=_RECORD,
    ),
    case(
        Causes.REVIEWER_JWT_NOT_ACCEPTED,
        Scene.reviewer_jwt_of_nobody,
        Scene.enable,
        mount=MOUNT,
        record="we have no record of it",
    ),
    case(
        Causes.LOGIN_NOT_TRIED,
        lambda scene: scene.take_right("serviceaccounts/token", "payments"),
        Scene.end_what_is_for_now,
        account=_LOGIN,
        why=f'token of ServiceAccount payments/{STARTER}: serviceaccounts "{STARTER}" is forbidden: User '
        '"system:serviceaccount:vault-enablement:pipeline" cannot create resource "serviceaccounts/token" in '
        'API group "" in the namespace "payments"',
    ),
    case(
        Causes.CAUSE_NOT_FOUND,
        dead_and_out_of_sight,
        login=_LOGIN,
        words="is refused with 403 permission denied",
        not_known="; not known: Is auth/ember-k8s of type kubernetes? (sys/auth: may not read: 403 "
        "permission denied); Is role emea-ops there? (auth/ember-k8s/role/emea-ops: may not read: 403 "
        "permission denied)",
    ),
]
