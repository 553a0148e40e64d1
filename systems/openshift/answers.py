"""What the cluster's API answers, as the pipeline's steps use it. Tokens are always `SecretStr`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from runbook.vault_store import VaultStore


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """A Secret of type ``kubernetes.io/service-account-token``; the cluster fills ``token`` in later."""

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
    """State of a SecretStore or ClusterSecretStore. ``ready`` is None until an operator has looked at it.

    ``since`` is when the verdict came about, and ``last_change`` the newest sign of anything that reconciles
    it, or of its making; both UTC, None if not known. ``events`` are its Events where they were asked for,
    oldest first, as ``"<type> <reason>: <message>"``; the operator writes the cause of a failure there, while
    its condition says only ``InvalidProviderConfig``. ``spec`` is its own, with the conditions of a
    ClusterSecretStore.
    """

    ready: bool | None
    reason: str
    message: str
    since: datetime | None
    last_change: datetime | None
    vault: VaultStore
    events: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExternalSecretState:
    """An ExternalSecret that is not Ready; ``events`` as of `SecretStoreState`."""

    name: str
    reason: str
    message: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """``infrastructures.config.openshift.io/cluster``: who this cluster says it is."""

    name: str
    api_server_url: str
