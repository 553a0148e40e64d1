"""What preflight asks Vault: the table's rows, and the changes that the run would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from connections import VaultConnection
from runbook.auth_method import compare_config, compare_role
from runbook.changes import Change
from runbook.checks import Check
from runbook.errors import AccessDenied, EnablementError, TransientError
from runbook.names import OIDC_MOUNT, SECRETS_MOUNT
from runbook.request import EnableRequest
from runbook.rights import vault_rights
from systems.vault import Health, Mount, Vault
from tasks.auth_config import ApiServer
from tasks.auth_method import mount_changes
from tasks.group import alias_changes, group_changes
from tasks.policies import policy_changes
from tasks.role import role_changes

_MANY_HOURS = 6 * 3600


def reachable(connection: VaultConnection) -> tuple[list[Check], bool]:
    """Rows on reaching Vault at all, and whether it is worth asking on."""
    with connection.anonymous_client() as vault:
        health: Health = vault.health()
    rows = [Check("Vault is reachable", "ok", f"{connection.address}, version {health.version}")]
    if not health.initialized or health.sealed:
        state = "is sealed" if health.initialized else "is not initialized"
        rows.append(Check("Vault is unsealed", "failed", state, "Ask Vault's operators to unseal it."))
        return rows, False
    rows.append(Check("Vault is unsealed", "ok", "standby" if health.standby else "active"))
    return rows, True


def token_row(vault: Vault) -> Check:
    """Whether our token is one, and for how long."""
    try:
        token = vault.own_token()
    except AccessDenied as error:
        return Check(
            "Vault accepts our token",
            "failed",
            error.answer,
            "Put a token that has not expired into the VaultConnection, or log in by AppRole.",
        )
    ttl = int(token.get("ttl") or 0)
    policies = ", ".join(token.get("policies") or ()) or "no policy"
    if 0 < ttl < _MANY_HOURS and token.get("type") != "batch" and not token.get("path", "").endswith("login"):
        return Check(
            "Vault accepts our token",
            "warning",
            f"{policies}; it ends in {ttl // 60} minutes, and the wait for the merge may take days",
            "Use AppRole or Kubernetes login in the VaultConnection, or a token that lives longer.",
        )
    return Check("Vault accepts our token", "ok", policies)


def rights_row(vault: Vault, request: EnableRequest) -> Check:
    """Whether our token reaches every path that the run writes or reads."""
    needed = vault_rights(request)
    have = vault.capabilities(needed)
    gaps = [
        f"{path}: {', '.join(sorted(wanted - have[path]))}"
        for path, wanted in needed.items()
        if "root" not in have[path] and not wanted <= have[path]
    ]
    if gaps:
        return Check(
            "Our token may do what the run does",
            "failed",
            f"lacks {'; '.join(gaps)}",
            "Give the pipeline's token these capabilities.",
        )
    return Check("Our token may do what the run does", "ok", f"{len(needed)} paths")


def mount_rows(secret_mounts: dict[str, Mount], auth_mounts: dict[str, Mount]) -> list[Check]:
    """The mounts that must be there before us."""
    secrets = secret_mounts.get(SECRETS_MOUNT)
    version = secrets.options.get("version") if secrets else None
    good = secrets is not None and secrets.type == "kv" and version == "2"
    found = f"{secrets.type} version {version or '1'}" if secrets else "is not there"
    oidc = auth_mounts.get(OIDC_MOUNT)
    return [
        Check(
            f"{SECRETS_MOUNT}/ is KV version 2",
            "ok" if good else "failed",
            found,
            ""
            if good
            else "Have it enabled: `vault secrets enable -path=k8s_secrets kv-v2`. An existing version 1 is "
            "upgraded with `vault kv enable-versioning k8s_secrets`, which its users must know of.",
        ),
        Check(
            f"auth/{OIDC_MOUNT}/ is there",
            "ok" if oidc else "failed",
            f"type {oidc.type}" if oidc else "is not enabled",
            ""
            if oidc
            else "Have Vault's operators set up the OIDC login; the administrators' alias lives on it.",
        ),
    ]


def other_mounts_row(
    vault: Vault, request: EnableRequest, auth_mounts: dict[str, Mount], api: ApiServer
) -> Check:
    """Whether another mount has the host that we would write: then the connection is that cluster."""
    ours = _netloc(api.host)
    unread = []
    for path, mount in auth_mounts.items():
        if mount.type != "kubernetes" or not path.endswith("-k8s") or path == request.target.mount:
            continue
        try:
            config = vault.kubernetes_config(path)
        except AccessDenied:
            unread.append(path)
            continue
        except TransientError:
            raise
        except EnablementError:
            # Never configured: it has no host that could be ours.
            continue
        if config and _netloc(str(config.get("kubernetes_host", ""))) == ours:
            return Check(
                "No other mount has this API server",
                "failed",
                f"auth/{path}/config has {config['kubernetes_host']} too",
                f"Check that the ClusterConnection {request.cluster_connection!r} is {request.target} and "
                f"not the cluster of {path}.",
            )
    if unread:
        return Check(
            "No other mount has this API server",
            "not checked",
            f"our token may not read {', '.join(f'auth/{path}/config' for path in unread)}",
            "Give it read on auth/+/config to have this checked.",
        )
    return Check("No other mount has this API server", "ok", ours)


def planned_changes(
    vault: Vault, request: EnableRequest, auth_mounts: dict[str, Mount], api: ApiServer | None
) -> tuple[list[Change], list[Check]]:
    """The Vault part of the plan, in the order of the steps, and a failed row for each object in the way."""
    changes: list[Change] = []
    rows: list[Check] = []
    mounted = request.target.mount in auth_mounts

    def collect(what: str, compute: Callable[[], Sequence[Change]]) -> None:
        try:
            changes.extend(compute())
        except TransientError:
            raise
        except EnablementError as error:
            rows.append(Check(what, "failed", f"{error.subject}: {error.answer}", error.remedy))

    def config() -> list[Change]:
        if api is None:
            return []
        current = vault.kubernetes_config(request.target.mount) if mounted else None
        return [
            compare_config(request.target, current, api.host, api.ca_pem, login_works=current is not None)
        ]

    collect("Policies are free or as wanted", lambda: policy_changes(vault, request))
    collect("The group is free or as wanted", lambda: group_changes(vault, request))
    if OIDC_MOUNT in auth_mounts:
        collect("The alias is free or as wanted", lambda: alias_changes(vault, request))
    collect("The auth mount is free or of type kubernetes", lambda: mount_changes(vault, request))
    if not mounted or auth_mounts[request.target.mount].type == "kubernetes":
        collect("The auth config can be written", config)
        collect(
            "The role is free or as wanted",
            lambda: role_changes(vault, request) if mounted else [compare_role(request, None)],
        )
    if not rows:
        rows.append(
            Check("Nothing of anybody else's is in the way", "ok", f"{len(changes)} objects compared")
        )
    return changes, rows


def _netloc(host: str) -> str:
    parts = urlsplit(host)
    return f"{parts.hostname}:{parts.port or 443}"
