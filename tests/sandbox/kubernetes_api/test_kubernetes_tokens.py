"""Tokens of ServiceAccounts: how they come, what they say, and when they stop counting.

A real API server goes on accepting a token for up to 10 seconds after it was revoked; these tests wait.
"""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import (
    Kube,
    Namespace,
)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def refused(kube: Kube, token: str) -> str:
    """What a TokenReview says about a token that is refused; empty while it is accepted."""
    status = kube.review(token)
    assert ("error" in status) != ("authenticated" in status)
    return str(status.get("error", ""))


# Token Secrets


def test_a_requested_token_says_for_whom_and_until_when(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    answer = kube.create(f"{namespace.core}/serviceaccounts/app/token", {"spec": {"expirationSeconds": 1200}})
    assert (answer["kind"], answer["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert answer["status"]["expirationTimestamp"].endswith("Z")
    claims = claims_of(answer["status"]["token"])
    assert claims["aud"] == answer["spec"]["audiences"] == [claims["iss"]]
    assert claims["sub"] == f"system:serviceaccount:{namespace.name}:app"
    assert claims["exp"] - claims["iat"] == 1200
    assert claims["nbf"] == claims["iat"]
    assert claims["jti"]
    uid = account["metadata"]["uid"]
    assert claims["kubernetes.io"] == {
        "namespace": namespace.name,
        "serviceaccount": {"name": "app", "uid": uid},
    }


def test_tokens_verify_against_the_published_keys(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    keys = jwt.PyJWKSet.from_dict(kube.get("/openid/v1/jwks"))
    for token in (namespace.token("app"), namespace.token_secret("app", "app-token")):
        header = jwt.get_unverified_header(token)
        assert header["alg"] == "RS256"
        assert jwt.decode(token, keys[header["kid"]].key, algorithms=["RS256"], options={"verify_aud": False})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (599, "may not specify a duration less than 10 minutes"),
        (2**32 + 1, "may not specify a duration larger than 2^32 seconds"),
    ],
)
def test_a_lifetime_has_bounds(kube: Kube, namespace: Namespace, seconds: int, words: str) -> None:
    namespace.account("app")
    path = f"{namespace.core}/serviceaccounts/app/token"
    answer = kube.send("POST", path, {"spec": {"expirationSeconds": seconds}})
    assert answer.status_code == 422
    problem = f"spec.expirationSeconds: Invalid value: {seconds}: {words}"
    assert answer.json()["message"] == f'TokenRequest.authentication.k8s.io "" is invalid: {problem}'


def test_only_an_existing_account_gets_a_token(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("POST", f"{namespace.core}/serviceaccounts/nobody/token", {})
    assert (answer.status_code, answer.json()["message"]) == (404, 'serviceaccounts "nobody" not found')


def test_a_token_dies_with_its_account_and_not_comes_back(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/serviceaccounts/app"
    namespace.account("app")
    token = namespace.token("app")
    assert not refused(kube, token)
    kube.delete(path)
    assert (
        eventually(lambda: refused(kube, token)) == '[invalid bearer token, serviceaccounts "app" not found]'
    )
    assert kube.send("GET", "/api", token=token).status_code == 401
    namespace.account("app")
    assert "does not match claim" in eventually(lambda: refused(kube, token))
