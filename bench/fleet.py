"""Many clusters of one environment: one Vault, one GitOps repository, and an API server for each of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.world import REPOSITORY, Place, World
from deployments.vault.policy import pipeline_policy
from runbook.names import Cluster
from sandbox.fixture_repository import FOLDER, make_repository
from sandbox.github_api import GitHubApi
from sandbox.vault_seed import VaultAdmin, make_group
from sandbox.vault_server import VaultServer

W = TypeVar("W", bound=World)

_APPLICATIONS = Path("argocd/overlays/moc-infra/applications")
_FOLDERS = (Path("cluster-scope/overlays/prod/emea"), _APPLICATIONS / "envs/emea")
"""Each holds one folder a cluster."""

_SYNCS = 4
"""At the same time; most of each is `kubectl kustomize` in a process of its own."""


@contextmanager
def worlds_at(
    directory: Path, vault: VaultServer, clusters: Sequence[str], kind: type[W]
) -> Iterator[list[W]]:
    """A world for each cluster of emea, not connected yet; they share Vault, GitHub and their connections."""
    folder = directory / "repository"
    shutil.copytree(FOLDER, folder)
    for cluster in clusters:
        _add(folder, cluster)
    with ExitStack() as stack:
        github = stack.enter_context(
            GitHubApi(directory / "github", {REPOSITORY: make_repository(directory / "seed", folder)})
        )
        worlds = [
            stack.enter_context(kind.cluster_at(directory / cluster, vault, github, Place(cluster=cluster)))
            for cluster in clusters
        ]
        for world in worlds:
            world.suffix = worlds[0].suffix
        yield worlds


def policy_for(*clusters: str) -> Callable[[VaultAdmin], str]:
    """The policy that the project's command prints for clusters of emea, as `VaultServer` takes it."""
    targets = [Cluster("emea", one) for one in clusters]

    def printed(vault: VaultAdmin) -> str:
        accessor, group = make_group(vault, "vault-admins-emea", "emea-kv-rw", "Vault emea Admin")
        return pipeline_policy(targets, accessor, ("env",), (), {"emea": group})

    return printed


def connect(worlds: Sequence[World], **changes: Any) -> None:
    """Save all connections, see `World.connect`."""
    worlds[0].connect_what_is_shared(**changes)
    for world in worlds:
        world.connect_cluster(**changes)


def merge(worlds: Sequence[World]) -> None:
    """Merge the open pull requests of these clusters, and let ArgoCD sync them."""
    merge_only(worlds)
    with ThreadPoolExecutor(_SYNCS) as pool:
        list(pool.map(World.sync, worlds))


def merge_only(worlds: Sequence[World]) -> None:
    """Merge the open pull requests of these clusters."""
    branches = {f"enable-vault/{world.environment}/{world.cluster}" for world in worlds}
    # A page of them at a time.
    while pulls := [one for one in worlds[0].pulls("open") if one["head"]["ref"] in branches]:
        for pull in pulls:
            worlds[0].as_reviewer("PUT", f"/pulls/{pull['number']}/merge", json={})


def _add(repository: Path, cluster: str) -> None:
    """Put a cluster into the repository, of which that is known what is known of ember."""
    apps = repository / _APPLICATIONS / "app-of-apps"
    application = (apps / "app-of-apps-ember.yaml").read_text()
    (apps / f"app-of-apps-{cluster}.yaml").write_text(application.replace("ember", cluster))
    with (apps / "kustomization.yaml").open("a") as listed:
        listed.write(f"  - app-of-apps-{cluster}.yaml\n")
    for folder in _FOLDERS:
        made = repository / folder / cluster
        shutil.copytree(repository / folder / "ember", made)
        for file in (path for path in made.rglob("*") if path.is_file()):
            file.write_text(file.read_text().replace("ember", cluster))
