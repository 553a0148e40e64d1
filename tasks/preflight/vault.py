"""What preflight asks Vault: the table's rows, and the changes that the run would make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from change.records import own_token
from change.table import Table
from connections import VaultConnection
from runbook.changes import Change, pending
from runbook.checks import Check
from runbook.commands import granting, the_policy
from runbook.errors import AccessDenied, Busy, PrerequisiteMissing
from runbook.hosts import ApiServer
from runbook.objects import Seen, VaultObject
from runbook.request import ClusterRequest
from runbook.rights import vault_rights
from runbook.vault_answers import MountInVault
from systems.vault import Health, Vault
from tasks.preflight.bound_namespaces import NAMESPACES, bound_namespaces
from tasks.preflight.later import carried_out, to_write
from tasks.preflight.other_mounts import OTHER_MOUNTS, other_mounts
from tasks.reviewer_record import configured_before
from tasks.writing import Look, check_pins

REACHABLE = "Vault is reachable"
UNSEALED = "Vault is unsealed"
TOKEN = "Vault accepts our token"  # noqa: S105 - the name of a row
CAPABILITIES = "Our token's capabilities"
PINS = "Our token may write these values"
SECRETS = "{}/ is KV version 2"
PEOPLE = "auth/{}/ is there"
AUTH_MOUNTS = "Vault's auth mounts"
OWN_STORE = "Vault can go by its own certificates"

_MANY_HOURS = 6 * 3600


def ask_vault(
    connection: VaultConnection | None,
    request: ClusterRequest,
    api: ApiServer | None,
    stores: frozenset[str] | None = None,
) -> tuple[Table, tuple[Change, ...]]:
    """Ask Vault everything; write nothing.

    Args:
        connection: None where it could not be loaded.
        request: the run's parameters.
        api: the cluster's API as Vault reaches it; None where it is not known.
        stores: namespaces with our SecretStore in Git; None where they are not known.

    Returns:
        The rows, and the Vault part of the plan, in the order of the steps.
    """
    objects = (one.row for one in request.objects)
    rows = (
        REACHABLE,
        UNSEALED,
        TOKEN,
        CAPABILITIES,
        *_mounts(request),
        *objects,
        PINS,
        OTHER_MOUNTS,
        NAMESPACES,
    )
    table = Table("Vault", rows)
    if connection is None:
        return table, ()
    health = table.get(REACHABLE, lambda: _health(connection))
    if health is None:
        return table, ()
    where = f", namespace {connection.namespace}" if connection.namespace else ""
    table.ok(REACHABLE, f"{connection.address}, version {health.version}{where}")
    if request.conventions.reviewer_ca == "vault":
        table.check(OWN_STORE, lambda: _own_store(connection.address, health))
    if not table.check(UNSEALED, lambda: _unsealed(connection.address, health)):
        return table, ()

    def logged_in() -> tuple[Change, ...]:
        with connection.client(granting(request, connection.namespace_for_clusters)) as vault:
            return _Asking(table, connection, vault, request, api, stores).ask()

    return table, table.get(TOKEN, logged_in) or ()


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks with our token, and fills the rows.

    Attributes:
        table: takes the rows.
        vault: with our token.
        connection, request, api, stores: see `ask_vault`.
    """

    table: Table
    connection: VaultConnection
    vault: Vault
    request: ClusterRequest
    api: ApiServer | None
    stores: frozenset[str] | None

    def ask(self) -> tuple[Change, ...]:
        """What the run would do in Vault, as far as it is known."""
        changes = self._planned()
        if pending(changes):
            pins = to_write(self.request, PINS, lambda: self._pins(pending(changes)))
            self.table.check(PINS, pins)
        else:
            self.table.skip(PINS, "no change to write is known")
        return changes

    def _planned(self) -> tuple[Change, ...]:
        table, vault, request = self.table, self.vault, self.request
        if not table.check(TOKEN, self._token):
            return ()
        table.check(CAPABILITIES, to_write(request, CAPABILITIES, self._capabilities))
        table.rights_are_named_by(CAPABILITIES)
        secrets, people = _mounts(request)
        table.check(secrets, lambda: _secrets_mount(vault, request.target.secrets_mount))
        # Whether the reviewer's token that Vault holds works, a login finds out when its step comes.
        seen = Seen(vault, self.api, lambda: configured_before(request, vault.http.place))
        auth_mounts = table.get(people, lambda: seen.auth_mounts)
        if auth_mounts is None:
            return ()
        table.check(people, lambda: _people_mount(people, request.target.people_mount, auth_mounts))
        changes = tuple(_planned_changes(table, request.objects, seen))
        table.check(NAMESPACES, lambda: bound_namespaces(seen, request, self.stores))
        namespace = self.connection.namespace_for_clusters
        table.check(OTHER_MOUNTS, lambda: other_mounts(vault, request, seen, changes, namespace))
        Look(self.connection, auth_mounts, {change.object: change for change in changes}).keep()
        return changes

    def _token(self) -> str | Check:
        try:
            token = own_token(self.vault)
        except AccessDenied as error:
            needed = the_policy(self.request, namespace=self.connection.namespace_for_clusters)
            raise AccessDenied(
                "Vault",
                "our token",
                f"is not accepted at auth/token/lookup-self ({error.answer})",
                "Put a token that has not expired into the VaultConnection, or log in by AppRole or "
                f"Kubernetes; it needs {needed}, also for this lookup.",
            ) from None
        ttl = int(token.get("ttl") or 0)
        policies = ", ".join(token.get("policies") or ()) or "no policy"
        is_given = token.get("type") != "batch" and not token.get("path", "").endswith("login")
        if 0 < ttl < _MANY_HOURS and is_given:
            return Check(
                TOKEN,
                "warning",
                f"{policies}; it expires in {ttl // 60} minutes, and the wait for the merge may take days",
                "Use AppRole or Kubernetes login in the VaultConnection, or a token that lives longer.",
            )
        return policies

    def _capabilities(self) -> str:
        needed, objects = vault_rights(self.request), self.request.objects
        # With what the row on values asks for, so that Vault is asked once.
        have = self.vault.capabilities([*needed, *(path for one in objects for path in one.may_write)])
        gaps = [
            f"{', '.join(sorted(wanted - have[path]))} on {path}"
            for path, wanted in needed.items()
            if "root" not in have[path] and not wanted <= have[path]
        ]
        if gaps:
            policy = the_policy(carried_out(self.request), namespace=self.connection.namespace_for_clusters)
            raise AccessDenied("Vault", "our token", f"lacks {'; '.join(gaps)}", f"Give it {policy}.")
        return f"{len(needed)} paths"

    def _pins(self, changes: Sequence[Change]) -> str | Check:
        have = self.vault.capabilities([change.path for change in changes])
        rights = vault_rights(self.request)
        named = [
            one
            for one in changes
            if "update" in rights.get(one.path, ()) and not have[one.path] & {"root", "update"}
        ]
        # Of a plan, the row of the capabilities names those; what is left is an administrator's.
        ours = [one for one in changes if one not in named] if self.request.plan_only else changes
        check_pins(self.vault, self.request, ours, pinned=self.connection.pinned_policy)
        if named:
            return Check(PINS, "not checked", f"our token may not write; see: {CAPABILITIES}")
        return "it may write all of the plan"


def _health(connection: VaultConnection) -> Health:
    with connection.anonymous_client() as vault:
        return vault.health()


def _unsealed(address: str, health: Health) -> str:
    if not health.initialized:
        raise PrerequisiteMissing(
            "Vault", address, "is not initialized", "Check the address: this may be another server."
        )
    if health.sealed:
        raise Busy("Vault", address, "is sealed", "Ask Vault's operators to unseal it.")
    return "standby" if health.standby else "active"


def _own_store(address: str, health: Health) -> str:
    if health.has_own_store:
        return f"version {health.version} takes a config without a CA"
    product = "OpenBao" if health.is_openbao else "Vault before 1.17"
    raise PrerequisiteMissing(
        "Vault",
        address,
        f"is {product}, {health.version}, and takes no config without a CA",
        "Set reviewer_ca of the conventions to 'connection'.",
    )


def _mounts(request: ClusterRequest) -> tuple[str, str]:
    """The rows on the mount of the secrets, and on that through which people log in."""
    target = request.target
    people = PEOPLE.format(target.people_mount) if target.people_mount else AUTH_MOUNTS
    return SECRETS.format(target.secrets_mount), people


def _secrets_mount(vault: Vault, path: str) -> str:
    mount = vault.secret_mounts().get(path)
    if mount is None:
        raise PrerequisiteMissing(
            "Vault",
            f"{path}/",
            "is not there",
            f"Ask a Vault administrator to run `vault secrets enable -path={path} kv-v2`.",
        )
    version = mount.options.get("version") or "1"
    if mount.type != "kv" or version != "2":
        found = f"version {version} of kv" if mount.type == "kv" else f"of type {mount.type}"
        raise PrerequisiteMissing(
            "Vault",
            f"{path}/",
            f"is {found}, not version 2 of kv",
            f"Upgrade a version 1 with `vault kv enable-versioning {path}`, and tell its users: all "
            "paths change. Move anything else to another path.",
        )
    return "kv version 2"


def _people_mount(row: str, path: str, auth_mounts: Mapping[str, MountInVault]) -> str | Check:
    if not path:
        return f"{len(auth_mounts)}; the conventions leave people's rights alone"
    mount = auth_mounts.get(path)
    if mount is None:
        raise PrerequisiteMissing(
            "Vault",
            f"auth/{path}/",
            "is not enabled",
            "Ask Vault's operators to set up the login of people there: the administrators' alias needs it.",
        )
    if mount.type not in {"oidc", "jwt"}:
        return Check(
            row,
            "warning",
            f"is of type {mount.type}",
            "The administrators' alias is on it: check that this method passes groups by name.",
        )
    return f"type {mount.type}"


def _planned_changes(table: Table, objects: Iterable[VaultObject], seen: Seen) -> list[Change]:
    """What has to be done with each object, as far as it is known; fills their rows."""
    changes: list[Change] = []
    for row, sharing in groupby(objects, lambda one: one.row):
        ours = list(sharing)
        unknown = next(filter(None, (one.unknown(seen) for one in ours)), "")
        if unknown:
            table.skip(row, unknown)
            continue
        found = table.get(row, partial(_compare, ours, seen))
        if found is not None:
            changes += found
            table.ok(row, "; ".join(map(_words, found)))
    return changes


def _compare(objects: Iterable[VaultObject], seen: Seen) -> list[Change]:
    return [one.compare(seen) for one in objects]


def _words(change: Change) -> str:
    fields = ", ".join(difference.field for difference in change.differences)
    detail = f" in {fields}" if change.action == "update" else ""
    return f"{change.object} is {change.found}{detail}{f' ({change.note})' if change.note else ''}"
