"""What preflight asks Vault: the table's rows, and the changes that the run would make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from connections import VaultConnection
from runbook.auth_method import compare_config, compare_mount, compare_role
from runbook.changes import Change, pending
from runbook.checks import Check
from runbook.errors import AccessDenied, Busy, Conflict, PrerequisiteMissing
from runbook.names import OIDC_MOUNT, SECRETS_MOUNT, Cluster
from runbook.request import EnableRequest
from runbook.rights import beyond_pins, vault_rights
from systems.vault import Health, Mount, Vault
from tasks.auth_config import ApiServer
from tasks.group import alias_changes, group_changes
from tasks.pins import by_hand, check_pins
from tasks.policies import policy_changes
from tasks.preflight.table import Table
from tasks.role import role_changes

REACHABLE = "Vault is reachable"
UNSEALED = "Vault is unsealed"
TOKEN = "Vault accepts our token"  # noqa: S105 - the name of a row
CAPABILITIES = "Our token's capabilities"
PINS = "Our token may write these values"
SECRETS = f"{SECRETS_MOUNT}/ is KV version 2"
OIDC = f"auth/{OIDC_MOUNT}/ is there"
POLICIES = "Policies are free or as wanted"
OTHER_MOUNTS = "No other mount has this API server"

_MANY_HOURS = 6 * 3600
_HAVE_IT_ENABLED = {
    SECRETS_MOUNT: "Have it enabled: `vault secrets enable -path=k8s_secrets kv-v2`.",
    OIDC_MOUNT: "Have Vault's operators set up the OIDC login; the administrators' alias lives on it.",
}


def _group(target: Cluster) -> str:
    return f"Group {target.admin_group} is free or ours"


def _alias(target: Cluster) -> str:
    return f"Alias {target.admin_group} is free or ours"


def _mount(target: Cluster) -> str:
    return f"auth/{target.mount}/ is free or of type kubernetes"


def _config(target: Cluster) -> str:
    return f"auth/{target.mount}/config is free or ours"


def _role(target: Cluster) -> str:
    return f"auth/{target.mount}/role/{target.role} is free or ours"


def ask_vault(
    connection: VaultConnection | None, request: EnableRequest, api: ApiServer | None
) -> tuple[Table, tuple[Change, ...]]:
    """Ask Vault everything; write nothing.

    Args:
        connection: None where it could not be loaded.
        request: the run's parameters.
        api: the cluster's API as Vault reaches it; None where it is not known.

    Returns:
        The rows, and the Vault part of the plan, in the order of the steps.
    """
    target = request.target
    objects = (_group(target), _alias(target), _mount(target), _config(target), _role(target))
    table = Table(
        "Vault",
        (REACHABLE, UNSEALED, TOKEN, CAPABILITIES, SECRETS, OIDC, POLICIES, *objects, PINS, OTHER_MOUNTS),
    )
    changes: list[Change] = []
    if connection is None:
        return table, ()
    health = table.get(REACHABLE, lambda: _health(connection))
    if health is None:
        return table, ()
    table.ok(REACHABLE, f"{connection.address}, version {health.version}")
    if table.check(UNSEALED, lambda: _unsealed(connection.address, health)):

        def logged_in() -> None:
            with connection.client() as vault:
                _ask_logged_in(table, vault, request, api, changes)
                if pending(changes):
                    pinned = connection.pinned_policy
                    table.check(PINS, lambda: _pins(vault, request, pending(changes), pinned=pinned))
                else:
                    table.skip(PINS, "nothing is known that has to be written")

        table.get(TOKEN, logged_in)
    return table, tuple(changes)


def _ask_logged_in(
    table: Table, vault: Vault, request: EnableRequest, api: ApiServer | None, changes: list[Change]
) -> None:
    if not table.check(TOKEN, lambda: _own_token(vault)):
        return
    needed = vault_rights(request)
    table.check(CAPABILITIES, lambda: _capabilities(vault, needed))
    table.rights_are_named_by(CAPABILITIES)
    table.check(SECRETS, lambda: _secrets_mount(vault.secret_mounts().get(SECRETS_MOUNT)))
    auth_mounts = table.get(OIDC, vault.auth_mounts)
    if auth_mounts is None:
        return
    table.check(OIDC, lambda: _oidc_mount(auth_mounts.get(OIDC_MOUNT)))
    changes += _planned_changes(table, vault, request, auth_mounts, api)
    # Paths that are known only now, such as the id of an alias.
    further = {change.path: frozenset({"update"}) for change in pending(changes) if change.path not in needed}
    if further and CAPABILITIES not in table.errors:
        instead = [by_hand(change) for change in pending(changes) if change.path in further]
        table.check(CAPABILITIES, lambda: _capabilities(vault, {**needed, **further}, instead))
    if api is None:
        table.skip(OTHER_MOUNTS, "the cluster's address is not known")
    else:
        table.check(OTHER_MOUNTS, lambda: _other_mounts(vault, request, auth_mounts, api))


def _health(connection: VaultConnection) -> Health:
    with connection.anonymous_client() as vault:
        return vault.health()


def _unsealed(address: str, health: Health) -> str:
    if not health.initialized:
        raise PrerequisiteMissing(
            "Vault", address, "is not initialized", "Ask Vault's operators; this may be another server."
        )
    if health.sealed:
        raise Busy("Vault", address, "is sealed", "Ask Vault's operators to unseal it.")
    return "standby" if health.standby else "active"


def _own_token(vault: Vault) -> str | Check:
    try:
        token = vault.own_token()
    except AccessDenied as error:
        raise AccessDenied(
            "Vault",
            "our token",
            f"is not accepted at auth/token/lookup-self ({error.answer})",
            "Put a token that has not expired into the VaultConnection, or log in by AppRole or Kubernetes; "
            "it needs the policy that `python -m deployments.vault.policy` prints, also to look at itself.",
        ) from None
    ttl = int(token.get("ttl") or 0)
    policies = ", ".join(token.get("policies") or ()) or "no policy"
    if 0 < ttl < _MANY_HOURS and token.get("type") != "batch" and not token.get("path", "").endswith("login"):
        return Check(
            TOKEN,
            "warning",
            f"{policies}; it ends in {ttl // 60} minutes, and the wait for the merge may take days",
            "Use AppRole or Kubernetes login in the VaultConnection, or a token that lives longer.",
        )
    return policies


def _capabilities(vault: Vault, needed: Mapping[str, frozenset[str]], instead: Sequence[str] = ()) -> str:
    have = vault.capabilities(needed)
    gaps = [
        f"{', '.join(sorted(wanted - have[path]))} on {path}"
        for path, wanted in needed.items()
        if "root" not in have[path] and not wanted <= have[path]
    ]
    if gaps:
        by_hand = f"Or let an administrator run {' and '.join(instead)}, then re-run." if instead else ""
        raise AccessDenied(
            "Vault",
            "our token",
            f"lacks {'; '.join(gaps)}",
            "Give the pipeline's token the policy that `python -m deployments.vault.policy` prints"
            + (f" with --allow move-alias. {by_hand}" if instead else "."),
        )
    return f"{len(needed)} paths"


def _pins(vault: Vault, request: EnableRequest, changes: Sequence[Change], *, pinned: bool) -> str:
    """Whether the plan keeps to the values that the pipeline's policy pins."""
    if not any(beyond_pins(request, change) for change in changes):
        return "the plan keeps to what `python -m deployments.vault.policy` pins"
    if not pinned:
        return "the policy pins nothing, says the VaultConnection"
    check_pins(vault, request, changes)
    return "ours is a root token"


def _secrets_mount(mount: Mount | None) -> str:
    if mount is None:
        raise PrerequisiteMissing(
            "Vault", f"{SECRETS_MOUNT}/", "is not there", _HAVE_IT_ENABLED[SECRETS_MOUNT]
        )
    version = mount.options.get("version") or "1"
    if mount.type != "kv" or version != "2":
        found = f"version {version} of kv" if mount.type == "kv" else f"of type {mount.type}"
        raise PrerequisiteMissing(
            "Vault",
            f"{SECRETS_MOUNT}/",
            f"is {found}, not version 2 of kv",
            "A version 1 is upgraded with `vault kv enable-versioning k8s_secrets`, which its users must "
            "know of: all paths change. Anything else must make room for it.",
        )
    return "kv version 2"


def _oidc_mount(mount: Mount | None) -> str | Check:
    if mount is None:
        raise PrerequisiteMissing(
            "Vault", f"auth/{OIDC_MOUNT}/", "is not enabled", _HAVE_IT_ENABLED[OIDC_MOUNT]
        )
    if mount.type not in {"oidc", "jwt"}:
        return Check(
            OIDC,
            "warning",
            f"is of type {mount.type}",
            "The administrators' alias lives on it: check that this method hands over groups by name.",
        )
    return f"type {mount.type}"


def _planned_changes(
    table: Table,
    vault: Vault,
    request: EnableRequest,
    auth_mounts: Mapping[str, Mount],
    api: ApiServer | None,
) -> list[Change]:
    target = request.target
    changes: list[Change] = []

    def compare(prerequisite: str, compute: Callable[[], Sequence[Change]]) -> bool:
        found = table.get(prerequisite, compute)
        if found is None:
            return False
        changes.extend(found)
        table.ok(prerequisite, "; ".join(map(_words, found)))
        return True

    compare(POLICIES, lambda: policy_changes(vault, request))
    compare(_group(target), lambda: group_changes(vault, request))
    if OIDC_MOUNT in auth_mounts:
        compare(_alias(target), lambda: alias_changes(vault, request))
    else:
        table.skip(_alias(target), f"there is no auth/{OIDC_MOUNT}/")
    there = auth_mounts.get(target.mount)
    if not compare(_mount(target), lambda: [compare_mount(target, there.type if there else None)]):
        for prerequisite in (_config(target), _role(target)):
            table.skip(prerequisite, f"auth/{target.mount}/ is of another type")
        return changes
    if api is None:
        table.skip(_config(target), "the cluster's address and CA are not known")
    else:

        def config() -> list[Change]:
            current = vault.kubernetes_config(target.mount) if there else None
            # Whether the reviewer's token that Vault holds works, a login finds out when its step comes.
            login_works = current is not None
            return [compare_config(target, current, api.host, api.ca_pem, login_works=login_works)]

        compare(_config(target), config)
    compare(
        _role(target),
        lambda: role_changes(vault, request) if there else [compare_role(request, None)],
    )
    return changes


def _words(change: Change) -> str:
    fields = ", ".join(difference.field for difference in change.differences)
    detail = f" in {fields}" if change.action == "update" else ""
    return f"{change.object} is {change.found}{detail}{f' ({change.note})' if change.note else ''}"


def _other_mounts(
    vault: Vault, request: EnableRequest, auth_mounts: Mapping[str, Mount], api: ApiServer
) -> str | Check:
    """Whether another mount has the host that we would write: then the connection is that cluster."""
    ours = _netloc(api.host)
    unread = []
    for path, mount in auth_mounts.items():
        if mount.type != "kubernetes" or not path.endswith("-k8s") or path == request.target.mount:
            continue
        try:
            config = vault.kubernetes_config(path)
        except AccessDenied:
            unread.append(f"auth/{path}/config")
            continue
        host = str((config or {}).get("kubernetes_host", ""))
        if _netloc(host) == ours:
            raise Conflict(
                "Vault",
                f"auth/{path}/config",
                f"has the API server {host} already",
                f"Check that the ClusterConnection {request.cluster_connection!r} is {request.target} and "
                f"not the cluster of {path}.",
            )
    if unread:
        return Check(
            OTHER_MOUNTS,
            "not checked",
            f"our token may not read {', '.join(unread)}",
            "Make its policy with --allow other-mounts to have this checked.",
        )
    return ours


def _netloc(host: str) -> str:
    """Host and port to compare by. Vault takes any text for a host, one without a scheme too."""
    try:
        parts = urlsplit(host if "//" in host else f"//{host}")
        return f"{parts.hostname}:{parts.port or 443}"
    except ValueError:
        return host
