"""Vault as the runbook needs it: typed reads, and the few writes that are more than "put this there".

Works with HashiCorp Vault and OpenBao, through hvac's API on an adapter of ours (`systems.vault_http`). Where
that API cannot do a thing right, `docs/decisions/0007-libraries.md` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import hvac
from pydantic import SecretStr

from runbook.addresses import check_header
from runbook.errors import AccessDenied, InvalidInput, UnexpectedAnswer
from runbook.moments import from_epoch
from runbook.vault_answers import AliasInVault, GroupInVault, MountInVault
from systems.vault_http import Answer, HvacAdapter, VaultHttp

_NO_CONFIG = "could not load backend configuration"
"""What Vault says, with a 500, of a login at a Kubernetes mount whose config was never written."""

_PATHS = 1000
"""Paths in one question about capabilities: some 50 kB, of which the answer is twice as large."""


@dataclass(frozen=True, slots=True)
class Health:
    """What Vault says of itself to anybody. ``clock`` is its own time, UTC; None where it does not tell.

    ``is_openbao`` goes by a field that Vault has had since 1.16 and OpenBao never had.
    """

    initialized: bool
    sealed: bool
    standby: bool
    version: str
    clock: datetime | None = None
    is_openbao: bool = True

    @property
    def has_own_store(self) -> bool:
        """Whether the Kubernetes auth method takes no CA for the machine's certificates.

        It does from its version 0.19 on, which came with Vault 1.17. OpenBao's refuses such a config.
        """
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:2])
        return not self.is_openbao and numbers >= (1, 17)


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
    """A Vault, as the owner of one token. A context manager: leaving it closes the connections.

    Every method raises the errors of `systems.vault_http.VaultHttp` and nothing else.
    """

    def __init__(self, http: VaultHttp) -> None:
        self.http = http
        # hvac falls back to VAULT_TOKEN and ~/.vault-token when it is given None.
        self._hvac = hvac.Client(url=http.address, token="", adapter=lambda **_: HvacAdapter(http))
        self._capabilities: dict[str, frozenset[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def address(self) -> str:
        """The address that we dial."""
        return self.http.address

    def health(self) -> Health:
        """Ask without a token. A sealed or standby Vault answers too."""
        answer = self._hvac.sys.read_health_status(
            method="GET", standby_ok="true", performance_standby_code=200, sealed_code=200, uninit_code=200
        )
        if answer.status >= 500:
            raise answer.refusal()
        if answer.status != 200:
            raise UnexpectedAnswer(
                "Vault",
                "sys/health",
                f"{answer.words}; Vault answers this path without a token",
                f"Check that {self.address} is Vault's API.",
            )
        body = answer.body
        return Health(
            initialized=bool(body.get("initialized")),
            sealed=bool(body.get("sealed")),
            standby=bool(body.get("standby")),
            version=str(body.get("version", "")),
            clock=from_epoch(body.get("server_time_utc")),
            is_openbao="enterprise" not in body,
        )

    def own_token(self) -> Mapping[str, Any]:
        """What Vault knows of our token: ``ttl`` in seconds (0: never), ``policies``, ``renewable``."""
        return self._hvac.auth.token.lookup_self().found() or {}

    def capabilities(self, paths: Iterable[str]) -> dict[str, frozenset[str]]:
        """Our token's capabilities on each path: ``{"sys/auth": {"read"}}``; ``root`` means all.

        Asked once for each path: a right that was taken away meanwhile, the write itself is refused.
        """
        asked = list(paths)
        new = [path for path in asked if path not in self._capabilities]
        for some in (new[at : at + _PATHS] for at in range(0, len(new), _PATHS)):
            found = self._hvac.sys.get_capabilities(paths=some).done()
            self._capabilities |= {path: frozenset(found.get(path) or ()) for path in some}
        return {path: self._capabilities[path] for path in asked}

    def secret_mounts(self) -> dict[str, MountInVault]:
        """All secrets engines by path."""
        return _mounts(self._hvac.sys.list_mounted_secrets_engines().found())

    def auth_mounts(self) -> dict[str, MountInVault]:
        """All auth methods by path."""
        return _mounts(self._hvac.sys.list_auth_methods().found())

    def audit_devices(self) -> tuple[str, ...] | None:
        """Paths of the audit devices; None where that is not known: our token may not look (``sudo``)."""
        try:
            devices = self._hvac.sys.list_enabled_audit_devices().found()
        except AccessDenied:
            return None
        # Without any Vault answers with an empty list; a 404 is a standby that is not ready.
        return None if devices is None else tuple(sorted(devices))

    def policy(self, name: str) -> str | None:
        """The text of an ACL policy as it was written."""
        data = self._hvac.sys.read_acl_policy(name).found()
        return None if data is None else str(data.get("policy", ""))

    def group(self, name: str) -> GroupInVault | None:
        """An identity group by name."""
        return _group(self._hvac.secrets.identity.read_group_by_name(name).found())

    def group_of_alias(self, alias: str, mount_accessor: str) -> GroupInVault | None:
        """The group that owns an alias."""
        return _group(_owner(self._hvac.secrets.identity.lookup_group, alias, mount_accessor))

    def entity_of_alias(self, alias: str, mount_accessor: str) -> Mapping[str, Any] | None:
        """The entity that owns an alias: ``name``, ``id``, ``disabled``."""
        return _owner(self._hvac.secrets.identity.lookup_entity, alias, mount_accessor)

    def kubernetes_config(self, mount: str) -> Mapping[str, Any] | None:
        """The config of a Kubernetes auth mount; None while it was never written."""
        # A policy that demands this parameter of each write demands it of reads too. It selects nothing.
        return self.http.send("get", f"auth/{mount}/config", disable_local_ca_jwt="true").found()

    def role(self, mount: str, name: str) -> Mapping[str, Any] | None:
        """A role of a Kubernetes auth mount."""
        answer: Answer = self._hvac.read(f"auth/{mount}/role/{name}")
        return answer.found()

    def role_names(self, mount: str) -> tuple[str, ...]:
        """Names of all roles of an auth mount."""
        found = self.http.send("list", f"auth/{mount}/role").found() or {}
        return tuple(found.get("keys") or ())

    def secret_names(self, mount: str, folder: str) -> tuple[str, ...]:
        """Names in a folder of a KV version 2 mount, of folders with a slash behind; no secret is read."""
        found = self.http.send("list", f"{mount}/metadata/{folder}".rstrip("/")).found() or {}
        return tuple(found.get("keys") or ())

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write a payload to a path; secrets in it are a SecretStr."""
        self._hvac.write_data(path, data=payload).done()

    def log_in(self, mount: str, credentials: Mapping[str, str | SecretStr]) -> Login | Refused:
        """Log in at ``auth/<mount>/login``, without our own token.

        Returns:
            The session, or Vault's refusal: a 4xx, and the 500 of a mount whose config was never written.
        """
        answer = self.http.with_token(None).send("post", f"auth/{mount}/login", credentials)
        if answer.status < 400:
            login = _session(answer)
            if login is not None:
                return login
            raise UnexpectedAnswer(
                "Vault",
                answer.path,
                f"{answer.status} without a token, or with one that does not fit into a header",
                f"Check that {self.address} is Vault's API.",
            )
        if answer.status >= 500 and not any(_NO_CONFIG in error for error in answer.errors):
            raise answer.refusal()
        return Refused(answer.status, answer.errors)

    def as_session(self, login: Login) -> Vault:
        """The same Vault as the owner of a session."""
        return Vault(self.http.with_token(login.token))

    def look(self, path: str) -> Answer:
        """Read a path and return the bare answer, for proving that something may or may not be read.

        A 5xx proves nothing, and is raised as `Busy`.
        """
        answer: Answer = self._hvac.read(path)
        if answer.status >= 500:
            raise answer.refusal()
        return answer

    def revoke_own_token(self) -> None:
        """End the session that our token stands for."""
        self._hvac.auth.token.revoke_self().done()


def _owner(look_up: Callable[..., Answer], alias: str, mount_accessor: str) -> Mapping[str, Any] | None:
    """Whom an alias belongs to. A POST that changes nothing; 204 when to nobody."""
    return look_up(alias_name=alias, alias_mount_accessor=mount_accessor).found()


def _session(answer: Answer) -> Login | None:
    auth = answer.body.get("auth")
    if answer.status != 200 or not isinstance(auth, Mapping):
        return None
    try:
        token = SecretStr(check_header(str(auth.get("client_token") or ""), "token of the session"))
    except InvalidInput:
        return None
    return Login(
        token=token,
        accessor=str(auth.get("accessor", "")),
        policies=tuple(auth.get("policies") or ()),
        is_batch=auth.get("token_type") == "batch",
    )


def _mounts(data: Mapping[str, Any] | None) -> dict[str, MountInVault]:
    return {
        path.rstrip("/"): MountInVault(
            path=path.rstrip("/"),
            type=str(entry.get("type", "")),
            accessor=str(entry.get("accessor", "")),
            options=entry.get("options") or {},
        )
        for path, entry in (data or {}).items()
        if isinstance(entry, Mapping)
    }


def _group(data: Mapping[str, Any] | None) -> GroupInVault | None:
    if not data:
        return None
    alias = data.get("alias") or {}
    return GroupInVault(
        id=str(data["id"]),
        name=str(data["name"]),
        type=str(data.get("type", "")),
        policies=tuple(data.get("policies") or ()),
        metadata=data.get("metadata") or {},
        alias=AliasInVault(
            id=str(alias["id"]),
            name=str(alias.get("name", "")),
            mount_accessor=str(alias.get("mount_accessor", "")),
        )
        if alias.get("id")
        else None,
        parent_group_ids=tuple(data.get("parent_group_ids") or ()),
    )
