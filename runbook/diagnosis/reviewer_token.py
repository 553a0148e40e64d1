"""Causes in the reviewer's token: in the one that we would write now, and in the one that only Vault holds.

The token in Vault cannot be read by anybody. What can be looked at is the cluster's: the token in the Secret,
or a new one of TokenRequest. Where that one is bad, writing it again would not help.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runbook.diagnosis.cause import ENABLE_AGAIN, Cause
from runbook.diagnosis.on_the_cluster import REVIEWER
from runbook.names import ESO_NAMESPACE, REVIEWER_TOKEN_SECRET

SECRET = f"Secret {ESO_NAMESPACE}/{REVIEWER_TOKEN_SECRET}"
NEW_TOKEN = "new, of TokenRequest"  # noqa: S105 - a source, not a token
_NEW_SECRET = (
    f"Delete the Secret (`oc -n {ESO_NAMESPACE} delete secret {REVIEWER_TOKEN_SECRET}`), sync the external-"
    "secrets Application, so that the cluster fills a new one, and run enable-cluster again."
)
_OF_THE_CLUSTER = (
    "The cluster has issued it just now, and a new one would be no better: have its operators compare "
    "clocks, keys and issuer of its API servers, and what stands between them and this worker."
)


@dataclass(frozen=True, slots=True)
class ReviewerJwtNotSet(Cause):
    """The config holds no reviewer JWT"""

    mount: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/config"

    @property
    def answer(self) -> str:
        return "holds no reviewer JWT, so Vault reviews each token with that token itself"

    @property
    def remedy(self) -> str:
        return ENABLE_AGAIN


@dataclass(frozen=True, slots=True)
class ReviewerSecretMissing(Cause):
    """The reviewer's token Secret is not there"""

    system = "OpenShift"

    @property
    def subject(self) -> str:
        return SECRET

    @property
    def answer(self) -> str:
        return "is not there; a token that Vault has of it died with it"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's external-secrets Application in ArgoCD, then run enable-cluster again."


@dataclass(frozen=True, slots=True)
class ReviewerSecretEmpty(Cause):
    """The reviewer's token Secret has no token"""

    system = "OpenShift"

    @property
    def subject(self) -> str:
        return SECRET

    @property
    def answer(self) -> str:
        return "has no token: the cluster has not filled it"

    @property
    def remedy(self) -> str:
        return (
            f"Check that ServiceAccount {REVIEWER} is there, wait some seconds, and run enable-cluster again."
        )


@dataclass(frozen=True, slots=True)
class _OfTheTokenToWrite(Cause):
    """Base of what can be wrong with the token that we would write: ``source`` is `SECRET` or `NEW_TOKEN`."""

    system = "OpenShift"
    source: str

    @property
    def subject(self) -> str:
        return f"reviewer's token ({self.source})"

    @property
    def remedy(self) -> str:
        return _OF_THE_CLUSTER if self.source == NEW_TOKEN else _NEW_SECRET


@dataclass(frozen=True, slots=True)
class ReviewerTokenGarbage(_OfTheTokenToWrite):
    """The token to write is not a JWT"""

    @property
    def answer(self) -> str:
        return "is not a JWT"


@dataclass(frozen=True, slots=True)
class ReviewerTokenStillBase64(_OfTheTokenToWrite):
    """The token to write is base64 of a JWT"""

    @property
    def answer(self) -> str:
        return "is still base64: a JWT that was encoded once too often"


@dataclass(frozen=True, slots=True)
class ReviewerTokenExpired(_OfTheTokenToWrite):
    """The token to write has expired"""

    ended: datetime

    @property
    def answer(self) -> str:
        return f"expired at {self.ended:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class ReviewerTokenOfSomebodyElse(_OfTheTokenToWrite):
    """The token to write is another ServiceAccount's"""

    account: str

    @property
    def answer(self) -> str:
        return f"is of {self.account}, not of {REVIEWER}"


@dataclass(frozen=True, slots=True)
class ReviewerTokenOfAnotherCluster(_OfTheTokenToWrite):
    """The token to write was signed by another cluster"""

    issuer: str

    @property
    def answer(self) -> str:
        return (
            f"was not signed by this cluster (issuer {self.issuer}, with a key that is none of the cluster's "
            "own), which refuses it"
        )


@dataclass(frozen=True, slots=True)
class ReviewerTokenOfWrongAudience(_OfTheTokenToWrite):
    """The token to write is for another audience than the API server"""

    audiences: tuple[str, ...]
    wanted: tuple[str, ...]

    @property
    def answer(self) -> str:
        return f"is for {', '.join(self.audiences)}; the API server wants {', '.join(self.wanted)}"


@dataclass(frozen=True, slots=True)
class ReviewerTokenOfFormerAccount(_OfTheTokenToWrite):
    """The token to write is of a ServiceAccount that was deleted"""

    token_uid: str
    uid: str

    @property
    def answer(self) -> str:
        now = f"that of {REVIEWER} now is {self.uid}"
        return f"is of a deleted ServiceAccount: its uid is {self.token_uid}, {now}"


@dataclass(frozen=True, slots=True)
class ReviewerTokenRefused(_OfTheTokenToWrite):
    """The cluster refuses the token to write, for a reason that it does not tell"""

    words: str

    @property
    def answer(self) -> str:
        return f"is refused by the API server ({self.words}), though its claims are right"


@dataclass(frozen=True, slots=True)
class ReviewerJwtNotAccepted(Cause):
    """All else is right: it is the JWT that only Vault holds. ``record`` is what we kept of it"""

    mount: str
    record: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/config"

    @property
    def answer(self) -> str:
        return f"Vault's reviewer JWT is not accepted by the API server; all else is right; {self.record}"

    @property
    def remedy(self) -> str:
        return "Run enable-cluster again: it writes the reviewer's token of today, which is accepted."
