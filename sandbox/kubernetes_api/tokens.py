"""ServiceAccount tokens: JSON Web Tokens signed by the cluster's own key.

Two sorts, as in a real cluster: the legacy ones in Secrets, which never expire and name no audience, and the
bound ones of the TokenRequest API. The claims are those of `pkg/serviceaccount` in Kubernetes.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.types import Options

from sandbox.kubernetes_api.status import Object

LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY_CLAIMS = "kubernetes.io/serviceaccount/"
_ALGORITHM = "RS256"
_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenError(Exception):
    """A token that is not accepted. The message is the API server's own; empty when it has nothing to say."""


@dataclass(frozen=True, slots=True)
class ServiceAccountClaims:
    """What a token says about its ServiceAccount; whether that is still true is for others to check.

    Only legacy tokens have a Secret, and no end.
    """

    namespace: str
    name: str
    uid: str
    secret_name: str
    audiences: tuple[str, ...]
    token_id: str
    expires: float | None
    not_before: float | None


class TokenSigner:
    """The cluster's signing keys, and the issuer name that they stand for.

    As in OpenShift there are two: the API server's, for the tokens of TokenRequest, and the controller
    manager's, for those in Secrets. Both are believed and published.

    Attributes:
        clock: the cluster's, by which its tokens begin and end; seconds since the epoch.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.clock: Callable[[], float] = time.time
        self._key = self._issuing_key = _new_key()
        self._key_of_secrets = _new_key()
        self._believed = {_key_id(key): key for key in (self._key, self._key_of_secrets)}

    @contextmanager
    def issuing_with_another_key(self) -> Iterator[None]:
        """Sign the tokens of TokenRequest with a key that this very cluster does not believe."""
        self._issuing_key = _new_key()
        try:
            yield
        finally:
            self._issuing_key = self._key

    def bound_token(self, account: Object, audiences: list[str], lifetime: int) -> tuple[str, float]:
        """A token of the TokenRequest API.

        Args:
            account: the ServiceAccount.
            audiences: whom it is for.
            lifetime: seconds.

        Returns:
            The token, and when it expires (seconds since the epoch).
        """
        metadata = account["metadata"]
        now = int(self.clock())
        private: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        claims = {
            "aud": audiences,
            "exp": now + lifetime,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": _subject(metadata),
        }
        return _signed(claims, self._issuing_key), now + lifetime

    def legacy_token(self, account: Object, secret_name: str) -> str:
        """The token of a Secret of type ``kubernetes.io/service-account-token``."""
        metadata = account["metadata"]
        claims = {
            "iss": LEGACY_ISSUER,
            _LEGACY_CLAIMS + "namespace": metadata["namespace"],
            _LEGACY_CLAIMS + "secret.name": secret_name,
            _LEGACY_CLAIMS + "service-account.name": metadata["name"],
            _LEGACY_CLAIMS + "service-account.uid": metadata["uid"],
            "sub": _subject(metadata),
        }
        return _signed(claims, self._key_of_secrets)

    def read(self, token: str) -> ServiceAccountClaims:
        """Check issuer and signature, and read the claims. Times and audiences are left to the caller.

        Raises:
            TokenError: it is no token of this cluster.
        """
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise TokenError from error
        if unverified.get("iss") not in (self.issuer, LEGACY_ISSUER):
            raise TokenError
        claims = self._verified(token, header.get("kid"))
        return _legacy_claims(claims) if claims["iss"] == LEGACY_ISSUER else _bound_claims(claims)

    def _verified(self, token: str, key_id: str | None) -> dict[str, Any]:
        """The claims, if one of the keys signed them: the named one, or any where none is named."""
        keys = [key for name, key in self._believed.items() if key_id in {None, name}]
        if not keys:
            raise TokenError("invalid signature, no keys found")
        failure: Exception | None = None
        for key in keys:
            try:
                return jwt.decode(token, key.public_key(), [_ALGORITHM], _SIGNATURE_ONLY)
            except jwt.InvalidTokenError as error:
                failure = error
        raise TokenError("go-jose/go-jose: error in cryptographic primitive") from failure

    def key_set(self) -> Object:
        """The public keys as a JSON Web Key Set."""
        keys = {
            name: RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) for name, key in self._believed.items()
        }
        return {
            "keys": [
                {"use": "sig", "kty": "RSA", "kid": name, "alg": _ALGORITHM, "n": key["n"], "e": key["e"]}
                for name, key in keys.items()
            ]
        }


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _key_id(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()


def _signed(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    # Kubernetes sends no `typ`.
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": _key_id(key), "typ": None})


def _subject(metadata: Object) -> str:
    return f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}"


def _legacy_claims(claims: dict[str, Any]) -> ServiceAccountClaims:
    return ServiceAccountClaims(
        namespace=claims[_LEGACY_CLAIMS + "namespace"],
        name=claims[_LEGACY_CLAIMS + "service-account.name"],
        uid=claims[_LEGACY_CLAIMS + "service-account.uid"],
        secret_name=claims[_LEGACY_CLAIMS + "secret.name"],
        audiences=(),
        token_id="",
        expires=None,
        not_before=None,
    )


def _bound_claims(claims: dict[str, Any]) -> ServiceAccountClaims:
    private = claims["kubernetes.io"]
    return ServiceAccountClaims(
        namespace=private["namespace"],
        name=private["serviceaccount"]["name"],
        uid=private["serviceaccount"]["uid"],
        secret_name="",
        audiences=tuple(claims["aud"]),
        token_id=claims["jti"],
        expires=claims["exp"],
        not_before=claims["nbf"],
    )
