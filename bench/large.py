"""Systems that hold much that is none of a run's business."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import requests

from bench.history import filler
from bench.world import World
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_seed import VaultAdmin
from sandbox.vault_server import VaultServer

GROUPS, MOUNTS, POLICIES = 2_000, 500, 2_000
NAMESPACES = 5_000
FILES, COMMITS = 20_000, 10_000

_AT_ONCE = 8


def fill_vault(vault: VaultServer, groups: int, mounts: int, policies: int) -> None:
    """Groups, auth mounts of clusters and policies of others."""
    admin = VaultAdmin(vault.address, str(vault.ca_file), vault.root_token)
    policy = {"policy": 'path "secret/data/others/*" {\n  capabilities = ["read", "list"]\n}\n'}
    for path, body, count in (
        ("identity/group/name/others-{}", {"type": "external"}, groups),
        ("sys/auth/others-{}-k8s", {"type": "kubernetes"}, mounts),
        ("sys/policies/acl/others-{}", policy, policies),
    ):
        _together(partial(admin.request, "POST", path.format(number), body) for number in range(count))


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


def _together(calls: Iterable[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda call: call(), calls))
