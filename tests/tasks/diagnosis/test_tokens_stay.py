"""Tokens go to the API server of the ClusterConnection alone, whatever stands in Vault's config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.diagnosis.causes import Causes
from runbook.errors import VerificationFailed
from sandbox.certificates import CertificateAuthority
from tasks.verify import prove_login
from tests.rights import printed_policy, token_with
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server
from tests.tasks.conftest import client
from tests.tasks.diagnosis.scene import CONFIG, Scene

REVIEW = "/apis/authentication.k8s.io/v1/tokenreviews"


def diagnose(scene: Scene) -> None:
    cause = scene.diagnose().causes[0]
    assert cause.kind is Causes.CONFIG_DIFFERS
    assert "run enable-cluster" in cause.remedy.lower()


def verify(scene: Scene) -> None:
    with pytest.raises(VerificationFailed, match="differs from the ClusterConnection"):
        prove_login(scene.pipeline, scene.openshift, scene.wanted, scene.server, "payments")


def same_host_under_his_ca(thief: Scripted, scene: Scene) -> dict[str, str]:
    """Whoever redirects the name (DNS, a route) needs no other host."""
    return {"kubernetes_host": scene.api.url, "kubernetes_ca_cert": thief.ca_pem}


def his_host(thief: Scripted, scene: Scene) -> dict[str, str]:
    return {"kubernetes_host": thief.url, "kubernetes_ca_cert": thief.ca_pem}


@pytest.mark.parametrize("ask", [diagnose, verify])
@pytest.mark.parametrize("changed", [his_host, same_host_under_his_ca])
def test_who_has_the_printed_policy_gets_no_token_by_writing_the_config(
    scene: Scene,
    tmp_path: Path,
    changed: Callable[[Scripted, Scene], dict[str, str]],
    ask: Callable[[Scene], None],
) -> None:
    stolen = token_with(scene.vault, printed_policy(scene.vault))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": {"error": "x"}}
    with (
        scripted_server(tmp_path, CertificateAuthority("thief")) as thief,
        client(scene.vault, stolen) as his,
    ):
        thief.answers[REVIEW] = Answer.json(review, 201)
        his.write(CONFIG, changed(thief, scene) | {"disable_local_ca_jwt": True})
        before = scene.vault.audit_position()
        ask(scene)
        assert thief.requests == []
        paths = {entry["request"]["path"] for entry in scene.vault.audit_entries(before)}
        assert "auth/ember-k8s/login" not in paths, "Vault would hand the token on"
