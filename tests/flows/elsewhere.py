"""An organisation that calls nothing as the runbook does, neither in Vault nor on its clusters nor in Git."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_origin

import yaml
from pydantic import BaseModel

from bench.world import Place
from runbook.conventions import RUNBOOK, Conventions
from runbook.layout import Layout
from runbook.names import Cluster
from sandbox.fixture_repository import FOLDER
from sandbox.gitops_agent.options import Folders
from sandbox.vault_seed import OIDC_MOUNT, SECRETS_MOUNT
from sandbox.vault_server import VaultServer

OBJECT_ID = "1f0e8f52-7c3b-4f0e-9a57-6a4c7d1f2b9e"
"""What Entra ID sends for a group."""

NAMES: dict[str, Any] = {
    "secrets_mount": "team/kv",
    "cluster_secrets": "clusters/{env}/{cluster}",
    "environment_secrets": "clusters/{env}",
    "auth_mount": "kubernetes/{env}/{cluster}",
    "role": "reader-{env}",
    "policies": {
        "environment": "read-{env}",
        "cluster": "read-{env}-of-{cluster}",
        "administrators": "write-{env}",
        "also": ["common"],
        "rules": "kv-v2",
    },
    "administrators": {
        "mount": "okta",
        "group": "writers-of-{env}",
        "alias": "entra-{env}",
        "aliases": {"emea": OBJECT_ID},
    },
    "operator": {
        "namespace": "secrets-system",
        "reviewer": "token-checker",
        "reviewer_token": "token-checker-jwt",
    },
    "store": {"name": "central-vault", "service_account": "secret-reader"},
}
STARTER = NAMES["store"]["service_account"]

_RENAMED = {
    "external-secrets-operator": "secrets-system",
    "eso-vault-auth-token": "token-checker-jwt",
    "eso-vault-auth": "token-checker",
    "opf-vault-store": "central-vault",
    "vault-secret-fetcher": STARTER,
    "k8s_secrets": "team/kv",
    "flint-k8s": "kubernetes/emea/flint",
    "smaug-k8s": "kubernetes/moc/smaug",
    "emea-ops": "reader-emea",
    "moc-ops": "reader-moc",
    "vault-admins-": "writers-of-",
    "cluster-scope": "platform",
    "overlays/prod": "overlays/live",
    "external-secrets/": "operator/",
    "external-secrets.yaml": "operator.yaml",
    "`external-secrets`": "`operator`",
    "name: external-secrets\n": "name: operator\n",
    "argocd/overlays/moc-infra/applications": "deploy/overlays/hub/apps",
    "app-of-apps": "roots",
    "cluster-management": "platform-team",
    "cluster-resources": "platform-objects",
    "secret-mgmt": "vault",
}


def renamed(text: str, names: Mapping[str, str] = _RENAMED) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def manifests(target: Path, names: Mapping[str, str] = _RENAMED) -> Path:
    """The sandbox's repository, its folders and what is in them renamed."""
    for file in (one for one in FOLDER.rglob("*") if one.is_file()):
        there = target / renamed(file.relative_to(FOLDER).as_posix(), names)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(renamed(file.read_text(), names))
    return target


LAYOUT = {
    field: renamed(f"{value}/").rstrip("/")
    for field, value in Layout().model_dump().items()
    if isinstance(value, str)
}


def place(directory: Path) -> Place:
    folders = {field: renamed(f"{getattr(Folders(), field)}/").rstrip("/") for field in Folders.__slots__}
    return Place(manifests(directory / "manifests"), Folders(**folders))


def described(directory: Path, names: dict[str, Any], cluster: str, **sections: Any) -> Path:
    """A file of connections with these names, and without what runs read from their Blocks here.

    Args:
        directory: for the file.
        names: the section ``conventions``.
        cluster: with its environment, if it has one: ``emea/ember``.
        sections: further ones.
    """
    env, _, name = cluster.rpartition("/")
    file = directory / "connections.yaml"
    clusters = {name: {"env": env} if env else {}}
    file.write_text(yaml.safe_dump({"conventions": names, "clusters": clusters, **sections}))
    return file


def found_in_vault(vault: VaultServer, conventions: Conventions) -> None:
    """What an organisation has, in place of what the runbook takes for granted."""
    for path in (
        f"sys/mounts/{SECRETS_MOUNT}",
        f"sys/auth/{OIDC_MOUNT}",
        "identity/group/name/vault-admins-emea",
        "sys/policies/acl/enablement-pipeline",
    ):
        vault.request("DELETE", path)
    vault.request(
        "POST", f"sys/mounts/{conventions.secrets_mount}", {"type": "kv", "options": {"version": "2"}}
    )
    if conventions.administrators:
        vault.request("POST", f"sys/auth/{conventions.administrators.mount}", {"type": "jwt"})


def texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def templates(described: BaseModel) -> set[str]:
    """All names of a description, with their placeholders; what is chosen from a list is no name."""
    found: set[str] = set()
    for field, info in type(described).model_fields.items():
        value = getattr(described, field)
        if isinstance(value, BaseModel):
            found |= templates(value)
        elif get_origin(info.annotation) is not Literal:
            found |= set(texts(value))
    return found


def default_names(target: Cluster) -> set[str]:
    """What the runbook would call things for a cluster; without the names that are the cluster's own."""
    ours = Cluster(target.env, target.name)
    filled = {one.replace("{env}", ours.env).replace("{cluster}", ours.name) for one in templates(RUNBOOK)}
    folders = {
        default.replace("{env}", ours.env).replace("{cluster}", ours.name)
        for field, default in Layout().model_dump().items()
        if isinstance(default, str) and default != LAYOUT[field]
    }
    return (filled | folders) - {str(ours), ours.env}


def printed(command: Callable[[list[str]], int], *arguments: str) -> str:
    """What a command of ours prints."""
    with redirect_stdout(StringIO()) as out:
        assert command([*arguments]) == 0
    return out.getvalue()
