"""What a stolen token of the pipeline can reach at most, by doing it.

Whoever may write ``auth/<mount>/config`` may name an API server of his own, which believes any token. So the
holder of the pipeline's token gets what the role gives: ``<env>-kv-r``. This is as far as it goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from runbook.conventions import PolicyScope
from sandbox.certificates import CertificateAuthority
from sandbox.vault_server import VaultServer
from systems.vault import Login
from tests.deployments.vault.conftest import Ask
from tests.rights import printed_policy, token_with
from tests.steps import realize_mount, realize_policies
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server
from tests.tasks.conftest import client, request

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCOUNT = {"name": "nobody", "uid": "0b5e0e4f-0000-4000-8000-000000000000"}


@pytest.fixture
def false_api_server(tmp_path: Path) -> Iterator[Scripted]:
    """An API server of the thief's own, which says of every token that it is the thief's ServiceAccount."""
    with scripted_server(tmp_path, CertificateAuthority("thief")) as server:
        user = {"username": f"system:serviceaccount:anywhere:{ACCOUNT['name']}", "uid": ACCOUNT["uid"]}
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "status": {"authenticated": True, "user": user},
        }
        server.answers[TOKEN_REVIEWS] = Answer.json(review, 201)
        yield server


def forged_token() -> str:
    """A ServiceAccount's token, signed with a key of the thief's own."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": "https://kubernetes.default.svc",
        "sub": f"system:serviceaccount:anywhere:{ACCOUNT['name']}",
        "kubernetes.io": {"namespace": "anywhere", "serviceaccount": ACCOUNT},
        "iat": now,
        "exp": now + 600,
    }
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")


@pytest.mark.parametrize(("scope", "given"), [("env", "emea-kv-r"), ("cluster", "emea-ember-kv-r")])
def test_a_stolen_token_gets_the_policy_of_the_role_and_nothing_else(
    vault: VaultServer, ask: Ask, false_api_server: Scripted, scope: PolicyScope, given: str
) -> None:
    stolen = token_with(vault, printed_policy(vault, scopes=[scope]))
    for secret in ("emea/ember/a", "emea/flint/a", "moc/smaug/a"):
        vault.request("POST", f"k8s_secrets/data/{secret}", {"data": {"password": "x"}})
    with client(vault, stolen) as pipeline:
        realize_policies(pipeline, request(policy_scope=scope))
        realize_mount(pipeline, request(policy_scope=scope))
        pipeline.write(
            "auth/ember-k8s/config",
            {
                "kubernetes_host": false_api_server.url,
                "kubernetes_ca_cert": false_api_server.ca_pem,
                "disable_local_ca_jwt": True,
            },
        )
        pipeline.write(
            "auth/ember-k8s/role/emea-ops",
            {
                "alias_name_source": "serviceaccount_uid",
                "bound_service_account_names": ["*"],
                "bound_service_account_namespaces": ["*"],
                "token_policies": [given],
            },
        )
        login = pipeline.log_in("ember-k8s", {"role": "emea-ops", "jwt": forged_token()})
    assert isinstance(login, Login), login
    session = login.token.get_secret_value()

    # What it reaches.
    assert set(login.policies) == {"default", given}
    assert ask(session, "GET", "k8s_secrets/data/emea/ember/a") == 200
    assert ask(session, "GET", "k8s_secrets/data/emea/flint/a") == (200 if scope == "env" else 403)
    # What it does not.
    for method, path, body in (
        ("POST", "k8s_secrets/data/emea/ember/a", {"data": {"a": "b"}}),
        ("DELETE", "k8s_secrets/metadata/emea/ember/a", None),
        ("GET", "k8s_secrets/data/moc/smaug/a", None),
        ("GET", "sys/mounts", None),
        ("GET", "sys/policies/acl/emea-kv-r", None),
        ("PUT", "sys/policies/acl/mine", {"policy": ""}),
        ("POST", "auth/token/create", {"policies": ["emea-kv-rw"]}),
        ("POST", "sys/auth/mine", {"type": "userpass"}),
    ):
        assert ask(session, method, path, body) == 403, path
    # The false API server was sent nothing but the thief's own token.
    assert not [text for *_, text in false_api_server.requests if stolen.encode() in text]
