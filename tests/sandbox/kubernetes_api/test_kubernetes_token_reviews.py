"""TokenReview, and which tokens the API server takes."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.kubernetes_api.authentication import Authenticator
from sandbox.kubernetes_api.storage import Store
from sandbox.kubernetes_api.tokens import TokenError, TokenSigner
from tests.sandbox.kubernetes_api.kube import (
    TOKEN_REVIEWS,
    Kube,
    Namespace,
)
from tests.sandbox.kubernetes_api.test_kubernetes_tokens import claims_of, refused


def forged(token: str, **changes: Any) -> dict[str, str]:
    """The claims of a token, with changes, signed by a key that is not the cluster's; one of each sort."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = claims_of(token) | changes
    kid = jwt.get_unverified_header(token)["kid"]
    header, payload, signature = token.split(".")
    middle = len(signature) // 2
    spoilt = signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1 :]
    return {
        "no token": "garbage",
        "foreign issuer": jwt.encode(claims | {"iss": "https://elsewhere"}, key, algorithm="RS256"),
        "foreign key": jwt.encode(claims, key, algorithm="RS256", headers={"kid": "other"}),
        "foreign key, our id": jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid}),
        "no signature": jwt.encode(claims, "", algorithm="none", headers={"kid": kid}),
        "shared secret": jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
        "spoilt signature": ".".join([header, payload, spoilt]),
    }


def test_a_token_that_the_cluster_did_not_sign_is_401(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    for sort, token in forged(namespace.token("app")).items():
        answer = kube.send("GET", "/api", token=token)
        assert answer.status_code == 401, sort
        assert answer.json() == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }
        assert "authenticated" not in kube.review(token), sort


def test_the_reason_of_a_refusal_is_said_to_reviewers(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    tokens = forged(namespace.token("app"))
    assert refused(kube, tokens["no token"]) == "invalid bearer token"
    assert refused(kube, tokens["foreign issuer"]) == "invalid bearer token"
    invalid = "[invalid bearer token, invalid signature, no keys found]"
    assert refused(kube, tokens["foreign key"]) == invalid
    broken = "[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]"
    assert refused(kube, tokens["foreign key, our id"]) == broken


def test_a_token_for_others_does_not_open_the_api(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    assert kube.send("GET", "/api", token=namespace.token("app", audiences=["vault"])).status_code == 401
    assert kube.send("GET", "/api", token=namespace.token("app")).status_code == 200


# TokenReview


def test_a_review_tells_who_it_is(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace.name}", "system:authenticated"]
    user = {
        "username": f"system:serviceaccount:{namespace.name}:app",
        "uid": account["metadata"]["uid"],
        "groups": groups,
    }
    token, legacy = namespace.token("app"), namespace.token_secret("app", "app-token")
    audiences = claims_of(token)["aud"]
    assert kube.review(legacy) == {"authenticated": True, "user": user, "audiences": audiences}
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]}
    accepted = {"authenticated": True, "user": user | {"extra": extra}, "audiences": audiences}
    assert kube.review(token) == accepted


def test_a_review_for_an_audience_looks_at_the_audience(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    issuer = claims_of(namespace.token("app"))["iss"]
    token = namespace.token("app", audiences=["vault", "other"])
    assert kube.review(token, "vault", "third")["audiences"] == ["vault"]
    assert refused(kube, token) == (
        '[invalid bearer token, token audiences ["vault" "other"] is invalid '
        f'for the target audiences ["{issuer}"]]'
    )
    legacy = namespace.token_secret("app", "app-token")
    assert "authenticated" not in kube.review(legacy, "vault")


def test_a_review_needs_a_token_to_review(kube: Kube) -> None:
    answer = kube.send("POST", TOKEN_REVIEWS, {"spec": {}})
    words = "token is required for TokenReview in authentication"
    assert (answer.status_code, answer.json()["message"]) == (400, words)
    assert kube.send("POST", TOKEN_REVIEWS, {"spec": {"token": 5}}).status_code == 400
    assert kube.send("GET", TOKEN_REVIEWS).status_code == 405


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [(-30, ""), (-120, "service account token has expired")],
    ids=["within the leeway of a minute", "later"],
)
def test_stand_in_refuses_an_expired_token(lifetime: int, words: str) -> None:
    store, signer = Store(), TokenSigner("https://issuer.test")
    account = {"metadata": {"namespace": "n", "name": "app", "uid": "u"}}
    store.write("serviceaccounts", account)
    authenticator = Authenticator(store, signer, admin_token="admin")
    token, expires = signer.bound_token(account, ["https://issuer.test"], lifetime)
    assert expires < time.time()
    if words:
        with pytest.raises(TokenError, match=words):
            authenticator.authenticate(token)
    else:
        assert authenticator.authenticate(token)[0].name == "system:serviceaccount:n:app"
