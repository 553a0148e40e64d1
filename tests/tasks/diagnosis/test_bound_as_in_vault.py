"""What a role binds: our reading of its patterns, and the real Vault's at a login."""

from __future__ import annotations

import pytest

from runbook.bound_names import is_bound
from runbook.diagnosis.causes import Causes
from systems.vault import Login
from tests.runbook.test_bound_names import COVER_PAYMENTS
from tests.tasks.conftest import request
from tests.tasks.diagnosis.scene import MOUNT, ROLE, Scene

pytestmark = pytest.mark.long

STARTER = "vault-secret-fetcher"


def test_the_real_vault_binds_by_the_same_patterns(scene: Scene) -> None:
    token = scene.openshift.request_token("payments", STARTER, 600).token
    vault_says = {}
    for pattern in COVER_PAYMENTS:
        scene.change_role(bound_service_account_namespaces=[pattern])
        vault_says[pattern] = isinstance(
            scene.pipeline.log_in(MOUNT, {"role": "emea-ops", "jwt": token}), Login
        )
    assert vault_says == COVER_PAYMENTS


def test_the_real_vault_binds_names_by_them_too(scene: Scene) -> None:
    token = scene.openshift.request_token("payments", STARTER, 600).token
    for pattern in ("*", "vault*fetcher", "v*t-s*r", "vault-secret-fetche?", "[v]ault-secret-fetcher"):
        scene.change_role(bound_service_account_names=[pattern])
        login = scene.pipeline.log_in(MOUNT, {"role": "emea-ops", "jwt": token})
        assert isinstance(login, Login) is is_bound(STARTER, [pattern]), pattern


def test_the_real_vault_refuses_a_bare_star_beside_a_name_and_no_other_pattern(scene: Scene) -> None:
    def write(*names: str) -> int:
        return scene.admin.http.send("post", ROLE, {"bound_service_account_namespaces": names}).status

    assert write("*", "web") == 400
    assert [write(pattern, "web") for pattern in ("**", "pay*ts", "p*", "payment?")] == [204] * 4


@pytest.mark.parametrize("pattern", ["pay*ts", "p*y*s"])
def test_a_star_in_the_middle_is_not_blamed_for_what_the_reviewer_did(scene: Scene, pattern: str) -> None:
    scene.change_role(
        bound_service_account_namespaces=[pattern, "web"], bound_service_account_names=["v*-s*r"]
    )
    assert scene.diagnose().line == "the login works"
    scene.reviewer_jwt_of_nobody()
    assert {cause.kind for cause in scene.diagnose().causes} == {Causes.REVIEWER_JWT_NOT_ACCEPTED}


def test_what_only_looks_like_a_pattern_is_blamed_and_the_remedy_helps(scene: Scene) -> None:
    scene.wanted = request(namespaces=("payments",))
    scene.change_role(bound_service_account_namespaces=["payment?"])
    (cause,) = scene.diagnose().causes
    assert cause == Causes.NAMESPACE_NOT_BOUND.of(role=ROLE, namespace="payments", bound="payment?")
    scene.enable()
    assert scene.diagnose().line == "the login works"
