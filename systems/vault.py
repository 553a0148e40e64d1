"""Vault as the runbook needs it: typed reads, and the few writes that are more than "put this there".

Works with HashiCorp Vault and OpenBao. Payloads are written in full through the generic API: hvac's helpers
for the Kubernetes method cannot send every field of the config (and always send
``disable_local_ca_jwt=False``), and use the deprecated ``policies`` and ``ttl`` keys of a role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from runbook.errors import AccessDenied, UnexpectedAnswer
from runbook.moments import from_epoch
from systems.vault_http import Answer, VaultHttp, refusal

_NO_CONFIG = "could not load backend configuration"
"""What Vault says, with a 500, of a login at a Kubernetes mount whose config was never written."""


@dataclass(frozen=True, slots=True)
class Health:
    """What Vault says of itself to anybody. ``clock`` is its own time, UTC; None where it does not tell."""

    initialized: bool
    sealed: bool
    standby: bool
    version: str
    clock: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A secrets engine or an auth method. ``path`` has no trailing slash."""

    path: str
    type: str
    accessor: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alias:
    """A group alias."""

    id: str
    name: str
    mount_accessor: str


@dataclass(frozen=True, slots=True)
class Group:
    """An identity group; ``parent_group_ids`` are the groups that it is a member of."""

    id: str
    name: str
    type: str
    policies: tuple[str, ...]
    metadata: Mapping[str, str]
    alias: Alias | None
    parent_group_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """A session that a login opened.

    Attributes:
        policies: all that its token carries.
        is_batch: its token is one that cannot be revoked.
    """

    token: SecretStr
    accessor: str
    policies: tuple[str, ...]
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A login that Vault refused, with its own words. Why, the systems must be asked: it says little."""

    status: int
    errors: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.status} {'; '.join(self.errors)}".strip()


class Vault:
    """A Vault, as the owner of one token. A context manager: leaving it closes the connections, and ends a
    session of `systems.vault_session`.

    Every method raises the errors of `systems.vault_http.VaultHttp` and nothing else.
    """

    def __init__(self, http: VaultHttp) -> None:
        self.http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.http.close()

    @property
    def address(self) -> str:
        """The address that we dial."""
        return self.http.address

    def health(self) -> Health:
        """Ask without a token. A sealed or standby Vault answers too."""
        answer = self.http.send(
            "get", "sys/health", standbyok="true", perfstandbyok="true", sealedcode="200", uninitcode="200"
        )
        if answer.status >= 500:
            raise refusal(answer, "ask for the health at", "sys/health")
        if answer.status != 200:
            raise UnexpectedAnswer(
                "Vault",
                "sys/health",
                f"{answer.words}, where anybody may ask for it",
                f"Check that {self.address} is Vault's API.",
            )
        body = answer.body
        return Health(
            initialized=bool(body.get("initialized")),
            sealed=bool(body.get("sealed")),
            standby=bool(body.get("standby")),
            version=str(body.get("version", "")),
            clock=from_epoch(body.get("server_time_utc")),
        )

    def own_token(self) -> Mapping[str, Any]:
        """What Vault knows of our token: ``ttl`` in seconds (0: never), ``policies``, ``renewable``."""
        data = self.http.read("auth/token/lookup-self")
        return data or {}

    def capabilities(self, paths: Iterable[str]) -> dict[str, frozenset[str]]:
        """Our token's capabilities on each path: ``{"sys/auth": {"read"}}``; ``root`` means all."""
        asked = list(paths)
        answer = self.http.send("post", "sys/capabilities-self", {"paths": asked})
        if answer.status != 200:
            raise refusal(answer, "ask for our capabilities at", "sys/capabilities-self")
        return {path: frozenset(answer.data.get(path) or ()) for path in asked}

    def secret_mounts(self) -> dict[str, Mount]:
        """All secrets engines by path."""
        return _mounts(self.http.read("sys/mounts"))

    def auth_mounts(self) -> dict[str, Mount]:
        """All auth methods by path."""
        return _mounts(self.http.read("sys/auth"))

    def audit_devices(self) -> tuple[str, ...] | None:
        """Paths of the audit devices; None where that is not known: our token may not look (``sudo``)."""
        try:
            devices = self.http.read("sys/audit")
        except AccessDenied:
            return None
        # Without any Vault answers with an empty list; a 404 is a standby that is not ready.
        return None if devices is None else tuple(sorted(devices))

    def policy(self, name: str) -> str | None:
        """The text of an ACL policy as it was written."""
        data = self.http.read(f"sys/policies/acl/{name}")
        return None if data is None else str(data.get("policy", ""))

    def group(self, name: str) -> Group | None:
        """An identity group by name."""
        return _group(self.http.read(f"identity/group/name/{name}"))

    def group_of_alias(self, alias: str, mount_accessor: str) -> Group | None:
        """The group that owns an alias. A POST that changes nothing; 204 when nobody does."""
        answer = self.http.send(
            "post", "identity/lookup/group", {"alias_name": alias, "alias_mount_accessor": mount_accessor}
        )
        if answer.status in {204, 404}:
            return None
        if answer.status != 200:
            raise refusal(answer, "look up", "identity/lookup/group")
        return _group(answer.data)

    def kubernetes_config(self, mount: str) -> Mapping[str, Any] | None:
        """The config of a Kubernetes auth mount; None while it was never written."""
        # A policy that demands this parameter of each write demands it of reads too. It selects nothing.
        return self.http.read(f"auth/{mount}/config", disable_local_ca_jwt="true")

    def role(self, mount: str, name: str) -> Mapping[str, Any] | None:
        """A role of a Kubernetes auth mount."""
        return self.http.read(f"auth/{mount}/role/{name}")

    def role_names(self, mount: str) -> tuple[str, ...]:
        """Names of all roles of an auth mount."""
        answer = self.http.send("list", f"auth/{mount}/role")
        if answer.status == 404:
            return ()
        if answer.status != 200:
            raise refusal(answer, "list", f"auth/{mount}/role")
        return tuple(answer.data.get("keys") or ())

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write a payload to a path; secrets in it are a SecretStr."""
        self.http.write(path, payload)

    def log_in(self, mount: str, credentials: Mapping[str, str | SecretStr]) -> Login | Refused:
        """Log in at ``auth/<mount>/login``, without our own token.

        Returns:
            The session, or Vault's refusal: a 4xx, and the 500 of a mount whose config was never written.
        """
        answer = self.http.with_token(None).send("post", f"auth/{mount}/login", credentials)
        auth = answer.body.get("auth")
        if answer.status == 200 and isinstance(auth, Mapping):
            return Login(
                token=SecretStr(str(auth["client_token"])),
                accessor=str(auth.get("accessor", "")),
                policies=tuple(auth.get("policies") or ()),
                is_batch=auth.get("token_type") == "batch",
            )
        if answer.status < 400:
            raise UnexpectedAnswer(
                "Vault",
                f"auth/{mount}/login",
                f"{answer.status} without a session",
                "Check that the address is Vault's API.",
            )
        if answer.status >= 500 and not any(_NO_CONFIG in error for error in answer.errors):
            raise refusal(answer, "log in at", f"auth/{mount}/login")
        return Refused(answer.status, answer.errors)

    def as_session(self, login: Login) -> Vault:
        """The same Vault as the owner of a session."""
        return Vault(self.http.with_token(login.token))

    def look(self, path: str) -> Answer:
        """Read a path and return the bare answer, for proving that something may or may not be read.

        A 5xx proves nothing, and is raised as `Busy`.
        """
        answer = self.http.send("get", path)
        if answer.status >= 500:
            raise refusal(answer, "read", path)
        return answer

    def revoke_own_token(self) -> None:
        """End the session that our token stands for."""
        self.http.write("auth/token/revoke-self", {})


def _mounts(data: Mapping[str, Any] | None) -> dict[str, Mount]:
    return {
        path.rstrip("/"): Mount(
            path=path.rstrip("/"),
            type=str(entry.get("type", "")),
            accessor=str(entry.get("accessor", "")),
            options=entry.get("options") or {},
        )
        for path, entry in (data or {}).items()
        if isinstance(entry, Mapping)
    }


def _group(data: Mapping[str, Any] | None) -> Group | None:
    if not data:
        return None
    alias = data.get("alias") or {}
    return Group(
        id=str(data["id"]),
        name=str(data["name"]),
        type=str(data.get("type", "")),
        policies=tuple(data.get("policies") or ()),
        metadata=data.get("metadata") or {},
        alias=Alias(
            id=str(alias["id"]),
            name=str(alias.get("name", "")),
            mount_accessor=str(alias.get("mount_accessor", "")),
        )
        if alias.get("id")
        else None,
        parent_group_ids=tuple(data.get("parent_group_ids") or ()),
    )
