"""Who is asking: bearer tokens checked against the signing key and against what still exists."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.kubernetes_api.status import Object
from sandbox.kubernetes_api.storage import Store
from sandbox.kubernetes_api.tokens import ServiceAccountClaims, TokenError, TokenSigner

ACCOUNT_NAME_ANNOTATION = "kubernetes.io/service-account.name"
ACCOUNT_UID_ANNOTATION = "kubernetes.io/service-account.uid"
TOKEN_SECRET_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (a type)
MASTERS = "system:masters"
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_CLOCK_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class User:
    """As whom a request counts."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = field(default_factory=dict, hash=False)

    def info(self) -> Object:
        """The UserInfo of reviews, without empty fields."""
        parts: Object = {
            "username": self.name,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": self.extra,
        }
        return {name: value for name, value in parts.items() if value}


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
ADMINISTRATOR = User("system:admin", groups=(MASTERS, "system:authenticated"))


class Authenticator:
    """Tells the user behind a bearer token."""

    def __init__(self, store: Store, signer: TokenSigner, admin_token: str) -> None:
        self._store = store
        self._signer = signer
        self._admin_token = admin_token.encode()
        self.audiences = (signer.issuer,)

    def authenticate(self, token: str, audiences: Sequence[str] = ()) -> tuple[User, list[str]]:
        """The user of a token, and for which of ``audiences`` (by default the API server's) it counts.

        Raises:
            TokenError: not accepted. The message is what a TokenReview shows.
        """
        wanted = tuple(audiences) or self.audiences
        if hmac.compare_digest(token.encode(), self._admin_token):
            return ADMINISTRATOR, _common(self.audiences, wanted)
        claims = self._signer.read(token)
        # A legacy token names no audience: it is for this API server.
        held = claims.audiences or self.audiences
        common = _common(held, wanted)
        if not common:
            shown, asked = (" ".join(f'"{name}"' for name in names) for names in (held, wanted))
            raise TokenError(f"token audiences [{shown}] is invalid for the target audiences [{asked}]")
        self._check_alive(claims, token)
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{claims.namespace}",
            "system:authenticated",
        )
        extra = {_CREDENTIAL_ID: [f"JTI={claims.token_id}"]} if claims.token_id else {}
        return User(
            f"system:serviceaccount:{claims.namespace}:{claims.name}", claims.uid, groups, extra
        ), common

    def _check_alive(self, claims: ServiceAccountClaims, token: str) -> None:
        now = self._signer.clock()
        if claims.expires is not None and now > claims.expires + _CLOCK_LEEWAY_SECONDS:
            raise TokenError("service account token has expired")
        if claims.not_before is not None and now < claims.not_before - _CLOCK_LEEWAY_SECONDS:
            raise TokenError("service account token is not valid yet")
        if claims.secret_name:
            self._check_secret(claims, token)
        account = self._store.read("serviceaccounts", claims.namespace, claims.name)
        if account is None:
            raise TokenError(f'serviceaccounts "{claims.name}" not found')
        uid = account["metadata"]["uid"]
        if uid != claims.uid:
            subject = "ServiceAccount" if claims.secret_name else "service account"
            raise TokenError(f"{subject} UID ({uid}) does not match claim ({claims.uid})")

    def _check_secret(self, claims: ServiceAccountClaims, token: str) -> None:
        secret = self._store.read("secrets", claims.namespace, claims.secret_name)
        if secret is None or "deletionTimestamp" in secret["metadata"]:
            raise TokenError("Token has been invalidated")
        if secret.get("data", {}).get("token") != base64.b64encode(token.encode()).decode():
            raise TokenError("Token does not match server's copy")


def _common(held: Sequence[str], wanted: Sequence[str]) -> list[str]:
    return [name for name in held if name in wanted]
