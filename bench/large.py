"""Systems that hold much that is none of a run's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import requests

from bench.history import filler
from bench.world import World
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer

GROUPS, MOUNTS, POLICIES = 2_000, 500, 2_000
NAMESPACES = 5_000
FILES, COMMITS = 20_000, 10_000

_AT_ONCE = 8


def fill_vault(vault: VaultServer, groups: int, mounts: int, policies: int) -> None:
    """Groups, auth mounts of clusters and policies of others."""
    session = requests.Session()
    session.headers["X-Vault-Token"] = vault.root_token
    session.verify = str(vault.ca_file)

    def write(path: str, body: dict[str, Any]) -> None:
        session.post(f"{vault.address}/v1/{path}", json=body, timeout=60).raise_for_status()

    policy = {"policy": 'path "secret/data/others/*" {\n  capabilities = ["read", "list"]\n}\n'}
    _together(
        (
            *(
                partial(write, f"identity/group/name/others-{number}", {"type": "external"})
                for number in range(groups)
            ),
            *(
                partial(write, f"sys/auth/others-{number}-k8s", {"type": "kubernetes"})
                for number in range(mounts)
            ),
            *(partial(write, f"sys/policies/acl/others-{number}", policy) for number in range(policies)),
        )
    )


def fill_cluster(cluster: KubernetesApi, namespaces: int) -> None:
    """Namespaces of others."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {cluster.admin_token}"
    session.verify = str(cluster.ca_file)

    def create(name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        session.post(f"{cluster.url}/api/v1/namespaces", json=body, timeout=60).raise_for_status()

    _together(partial(create, f"others-{number}") for number in range(namespaces))


def fill_repository(world: World, files: int, commits: int) -> None:
    """Files of others, and a history of edits of them."""
    world.git("fast-import", "--quiet", given="".join(filler(files, commits, "refs/heads/main^0")))
    world.git("repack", "--quiet", "-a", "-d")


def _together(calls: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda call: call(), calls))
