"""Tokens of ServiceAccounts: how they come, what they say, and when they stop counting.

A real API server goes on accepting a token for up to 10 seconds after it was revoked; these tests wait.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.kubernetes_api.authentication import Authenticator
from deployments.sandbox.kubernetes_api.storage import Store
from deployments.sandbox.kubernetes_api.tokens import TokenError, TokenSigner
from tests.deployments.sandbox.kubernetes_api.kube import (
    TOKEN_REVIEWS,
    Kube,
    Namespace,
    connect,
    eventually,
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


def test_a_token_secret_is_filled_by_the_cluster(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    secret = kube.get(f"{namespace.core}/secrets/app-token")
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data["token"] == token
    assert data["namespace"] == namespace.name
    assert data["ca.crt"] == kube.ca_pem
    uid = account["metadata"]["uid"]
    assert secret["metadata"]["annotations"] == {
        "kubernetes.io/service-account.name": "app",
        "kubernetes.io/service-account.uid": uid,
    }
    assert claims_of(token) == {
        "iss": "kubernetes/serviceaccount",
        "sub": f"system:serviceaccount:{namespace.name}:app",
        "kubernetes.io/serviceaccount/namespace": namespace.name,
        "kubernetes.io/serviceaccount/secret.name": "app-token",
        "kubernetes.io/serviceaccount/service-account.name": "app",
        "kubernetes.io/serviceaccount/service-account.uid": uid,
    }


def test_stand_in_lets_one_wait_for_a_token_as_long_as_told(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, controller_delay=3600) as api:
        kube = connect(api.admin_kubeconfig)
        namespace = Namespace(kube, "default")
        namespace.account("app")
        body = {
            "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "app"}},
            "type": "kubernetes.io/service-account-token",
        }
        kube.create(f"{namespace.core}/secrets", body)
        assert "data" not in kube.get(f"{namespace.core}/secrets/t")


def test_a_token_secret_has_to_name_its_account(kube: Kube, namespace: Namespace) -> None:
    body = {"metadata": {"name": "t"}, "type": "kubernetes.io/service-account-token"}
    answer = kube.send("POST", f"{namespace.core}/secrets", body)
    assert answer.status_code == 422
    field = "metadata.annotations[kubernetes.io/service-account.name]"
    assert answer.json()["message"] == f'Secret "t" is invalid: {field}: Required value'


def test_a_token_secret_without_its_account_is_deleted(kube: Kube, namespace: Namespace) -> None:
    body = {
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "nobody"}},
        "type": "kubernetes.io/service-account-token",
    }
    kube.create(f"{namespace.core}/secrets", body)
    eventually(lambda: kube.gone(f"{namespace.core}/secrets/t"))


def test_a_token_secret_goes_with_its_account(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    assert not refused(kube, token)
    kube.delete(f"{namespace.core}/serviceaccounts/app")
    eventually(lambda: kube.gone(f"{namespace.core}/secrets/app-token"))
    assert eventually(lambda: refused(kube, token)).startswith("[invalid bearer token, ")


def test_a_legacy_token_dies_with_its_secret(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    kube.delete(f"{namespace.core}/secrets/app-token")
    expected = "[invalid bearer token, Token has been invalidated]"
    assert eventually(lambda: refused(kube, token)) == expected


def test_a_cleared_token_is_issued_again(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    namespace.token_secret("app", "app-token")
    path = f"{namespace.core}/secrets/app-token"
    kube.patch(path, {"data": {"token": None}})
    eventually(lambda: "token" in kube.get(path)["data"])


# The TokenRequest API


def test_a_requested_token_says_for_whom_and_until_when(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    answer = kube.create(f"{namespace.core}/serviceaccounts/app/token", {"spec": {"expirationSeconds": 1200}})
    assert (answer["kind"], answer["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert answer["status"]["expirationTimestamp"].endswith("Z")
    claims = claims_of(answer["status"]["token"])
    assert claims["aud"] == answer["spec"]["audiences"] == ["https://kubernetes.default.svc"]
    assert claims["iss"] == "https://kubernetes.default.svc"
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
    configuration = kube.get("/.well-known/openid-configuration")
    for token in (namespace.token("app"), namespace.token_secret("app", "app-token")):
        header = jwt.get_unverified_header(token)
        assert header["alg"] == "RS256"
        assert jwt.decode(token, keys[header["kid"]].key, algorithms=["RS256"], options={"verify_aud": False})
    assert configuration["issuer"] == claims_of(namespace.token("app"))["iss"]
    assert configuration["jwks_uri"] == f"{kube.url}/openid/v1/jwks"


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


def test_stand_in_cuts_lifetimes_to_its_own_limit(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, max_token_lifetime=900) as api:
        namespace = Namespace(connect(api.admin_kubeconfig), "default")
        namespace.account("app")
        claims = claims_of(namespace.token("app", expirationSeconds=86400))
        assert claims["exp"] - claims["iat"] == 900


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


def test_a_token_bound_to_a_secret_dies_with_it(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "s"}})
    token = namespace.token("app", boundObjectRef={"kind": "Secret", "apiVersion": "v1", "name": "s"})
    assert claims_of(token)["kubernetes.io"]["secret"]["name"] == "s"
    assert not refused(kube, token)
    kube.delete(f"{namespace.core}/secrets/s")
    expected = "[invalid bearer token, service account token has been invalidated]"
    assert eventually(lambda: refused(kube, token)) == expected


@pytest.mark.parametrize(
    ("reference", "status", "words"),
    [
        ({"kind": "Secret", "apiVersion": "v1", "name": "none"}, 404, 'secrets "none" not found'),
        ({"kind": "Pod", "apiVersion": "v1", "name": "none"}, 404, 'pods "none" not found'),
        (
            {"kind": "X", "apiVersion": "v1", "name": "x"},
            400,
            "cannot bind token to object of type /v1, Kind=X",
        ),
    ],
)
def test_a_token_is_bound_to_what_is_there(
    kube: Kube, namespace: Namespace, reference: dict[str, str], status: int, words: str
) -> None:
    namespace.account("app")
    path = f"{namespace.core}/serviceaccounts/app/token"
    answer = kube.send("POST", path, {"spec": {"boundObjectRef": reference}})
    assert (answer.status_code, answer.json()["message"]) == (status, words)


# Who is asking


def test_a_token_is_its_account(kube: Kube, namespace: Namespace) -> None:
    account = namespace.account("app")
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = kube.send("POST", path, {}, token=namespace.token("app"))
    assert answer.status_code == 201
    user = answer.json()["status"]["userInfo"]
    assert user["username"] == f"system:serviceaccount:{namespace.name}:app"
    assert user["uid"] == account["metadata"]["uid"]
    assert user["groups"] == [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace.name}",
        "system:authenticated",
    ]


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
    audiences = ["https://kubernetes.default.svc"]
    legacy = namespace.token_secret("app", "app-token")
    assert kube.review(legacy) == {"authenticated": True, "user": user, "audiences": audiences}
    token = namespace.token("app")
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]}
    assert kube.review(token) == {
        "authenticated": True,
        "user": user | {"extra": extra},
        "audiences": audiences,
    }


def test_a_review_for_an_audience_looks_at_the_audience(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token("app", audiences=["vault", "other"])
    assert kube.review(token, "vault", "third")["audiences"] == ["vault"]
    assert refused(kube, token) == (
        '[invalid bearer token, token audiences ["vault" "other"] is invalid '
        'for the target audiences ["https://kubernetes.default.svc"]]'
    )
    legacy = namespace.token_secret("app", "app-token")
    assert "authenticated" not in kube.review(legacy, "vault")


def test_a_review_needs_a_token_to_review(kube: Kube) -> None:
    answer = kube.send("POST", TOKEN_REVIEWS, {"spec": {}})
    words = "token is required for TokenReview in authentication"
    assert (answer.status_code, answer.json()["message"]) == (400, words)
    assert kube.send("POST", TOKEN_REVIEWS, {"spec": {"token": 5}}).status_code == 400
    assert kube.send("GET", TOKEN_REVIEWS).status_code == 405


def test_stand_in_remembers_a_verdict_when_told_to(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path, verdict_lifetime=600) as api:
        kube = connect(api.admin_kubeconfig)
        namespace = Namespace(kube, "default")
        namespace.account("app")
        token = namespace.token("app")
        assert not refused(kube, token)
        kube.delete(f"{namespace.core}/serviceaccounts/app")
        assert not refused(kube, token)


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
    token, expires = signer.bound_token(account, ["https://issuer.test"], lifetime, None)
    assert expires < time.time()
    if words:
        with pytest.raises(TokenError, match=words):
            authenticator.authenticate(token)
    else:
        assert authenticator.authenticate(token)[0].name == "system:serviceaccount:n:app"


def test_a_used_legacy_token_is_labelled_with_the_day(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    token = namespace.token_secret("app", "app-token")
    kube.send("GET", "/api", token=token)
    path = f"{namespace.core}/secrets/app-token"
    labels = eventually(lambda: kube.get(path)["metadata"].get("labels"))
    assert list(labels) == ["kubernetes.io/legacy-token-last-used"]
    assert time.strptime(labels["kubernetes.io/legacy-token-last-used"], "%Y-%m-%d")
