"""What the cluster's API answers, as the pipeline's steps use it. Tokens are always `SecretStr`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Access:
    """One right, in the words of Kubernetes RBAC.

    Args:
        verb: ``get``, ``create``, ...
        resource: plural name, such as ``secrets``.
        group: API group; empty for the core group.
        namespace: empty for a cluster-scoped resource, or for every namespace.
        name: one object; empty for all.
        subresource: such as ``token`` of ``serviceaccounts``.
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """The ``resourceAttributes`` of an access review."""
        return {name: value for name, value in asdict(self).items() if value}

    def __str__(self) -> str:
        """As an operator reads it: ``create serviceaccounts/token eso-vault-auth in namespace x``."""
        what = self.resource + (f".{self.group}" if self.group else "")
        what += f"/{self.subresource}" if self.subresource else ""
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {what}{named} " + (
            f"in namespace {self.namespace}" if self.namespace else "cluster-wide"
        )


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """A Secret of type ``kubernetes.io/service-account-token``; the cluster fills ``token`` in later."""

    service_account: str
    service_account_uid: str
    token: SecretStr | None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token of TokenRequest; the API server may have shortened the asked-for lifetime."""

    token: SecretStr
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenReview:
    """The API server's verdict on a token. ``error`` is its own sentence when it is not authenticated."""

    authenticated: bool
    username: str
    error: str


@dataclass(frozen=True, slots=True)
class SecretStoreState:
    """State of a SecretStore. ``ready`` is None as long as no operator has looked at it.

    ``events`` are its Events, oldest first, as ``"<type> <reason>: <message>"``; the operator writes the
    cause of a failure there, while its condition says only ``InvalidProviderConfig``.
    """

    ready: bool | None
    reason: str
    message: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """``infrastructures.config.openshift.io/cluster``: who this cluster says it is."""

    name: str
    api_server_url: str
