"""A whole installation: real Vault, Git remote, GitHub and Kubernetes stand-ins, GitOps agent.

Its servers are threads of this process, so that what they were asked can be counted; the bench and the tests
run the flows against it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import requests
from prefect.blocks.core import Block

from connections import ClusterConnection, GitOpsRepository, RunbookConventions, VaultConnection
from runbook.conventions import Conventions
from runbook.names import connection_name
from sandbox.fixture_repository import FOLDER, make_repository
from sandbox.github_api import GitHubApi
from sandbox.gitops_agent.agent import GitOpsAgent
from sandbox.gitops_agent.options import Folders, Options
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer

REPOSITORY = "sandbox/gitops"


@dataclass(frozen=True)
class Place:
    """Where the cluster is: what its manifests' folder is called, and the folder's own folders."""

    manifests: Path = FOLDER
    folders: Folders = field(default_factory=Folders)
    environment: str = "emea"
    cluster: str = "ember"


HOME = Place()


@dataclass
class World:
    """The systems, and what people do to them."""

    vault: VaultServer
    kubernetes: KubernetesApi
    github: GitHubApi
    agent: GitOpsAgent
    cluster: str = "ember"
    environment: str = "emea"
    suffix: str = field(default_factory=lambda: uuid4().hex[:8])

    @classmethod
    @contextmanager
    def at(cls, directory: Path, vault: VaultServer, place: Place = HOME) -> Iterator[Self]:
        """Start everything but Vault, of which there is one."""
        seed = make_repository(directory / "seed", place.manifests)
        with (
            GitHubApi(directory / "github", {REPOSITORY: seed}) as github,
            cls.cluster_at(directory, vault, github, place) as world,
        ):
            yield world

    @classmethod
    @contextmanager
    def cluster_at(
        cls, directory: Path, vault: VaultServer, github: GitHubApi, place: Place = HOME
    ) -> Iterator[Self]:
        """Start a cluster and its GitOps agent, for a repository that has its folders."""
        with KubernetesApi(directory / "kubernetes", cluster_name=place.cluster) as kubernetes:
            token = directory / "token"
            token.write_text(github.token_of("read-only"))
            options = Options(
                repository=github.clone_url(REPOSITORY),
                branch="main",
                kubeconfig=Path(kubernetes.admin_kubeconfig),
                environment=place.environment,
                cluster=place.cluster,
                state_dir=directory / "agent",
                token_file=token,
                operator_delay=0,
                folders=place.folders,
            )
            with GitOpsAgent(options, lambda line: None) as agent:
                yield cls(vault, kubernetes, github, agent, place.cluster, place.environment)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of a run for the cluster."""
        return {
            "cluster": self.cluster,
            **({"env": self.environment} if self.environment else {}),
            "namespaces": ["payments", "web"],
            "approve": False,
            "sync_timeout": "1s",
            "store_timeout": "1s",
            "vault": f"vault-{self.suffix}",
            "gitops": f"gitops-{self.suffix}",
            "cluster_connection": f"{connection_name(self.cluster)}-{self.suffix}",
        }

    def connect(self, **changes: Any) -> None:
        """Save the connections, with fields changed by ``<block>__<field>``: ``vault__token=...``."""
        self.connect_what_is_shared(**changes)
        self.connect_cluster(**changes)

    def connect_what_is_shared(self, **changes: Any) -> None:
        """Save the connections that runs for other clusters use too."""
        vault = VaultConnection.model_validate(
            _changed(
                "vault",
                changes,
                address=self.vault.address,
                ca_cert=self.vault.ca_pem,
                token=self.vault.pipeline_token,
            )
        )
        _save(vault, f"vault-{self.suffix}")
        gitops = GitOpsRepository.model_validate(
            _changed(
                "gitops",
                changes,
                url=self.github.clone_url(REPOSITORY),
                repository=REPOSITORY,
                base_branch="main",
                api_url=self.github.api_url,
                token=self.github.token_of("pipeline"),
            )
        )
        _save(gitops, f"gitops-{self.suffix}")

    def connect_cluster(self, **changes: Any) -> None:
        """Save the connection of the cluster."""
        kubeconfig = Path(self.kubernetes.admin_kubeconfig).read_text()
        cluster = ClusterConnection.model_validate(_changed("cluster", changes, kubeconfig=kubeconfig))
        _save(cluster, f"{connection_name(self.cluster)}-{self.suffix}")

    def describe(self, conventions: Conventions) -> str:
        """Save what the organisation calls things; returns the name that a run gives for it."""
        name = f"conventions-{self.suffix}"
        _save(RunbookConventions(**dict(conventions)), name)
        return name

    def sync(self) -> None:
        """Let the GitOps agent bring the base branch to the cluster, until nothing is left to do."""
        for _ in range(60):
            self.agent.round()
            applications = self.agent.report.applications
            if applications and all(" objects" in state for state in applications.values()):
                return
        raise AssertionError(self.agent.report)

    def pulls(self, state: str = "all") -> list[dict[str, Any]]:
        """The pull requests as GitHub's API lists them."""
        answer = self.as_reviewer("GET", "/pulls", params={"state": state})
        return list(answer.json())

    def git(self, *arguments: str, given: str = "") -> str:
        """What a Git command prints in the repository on the server."""
        done = subprocess.run(
            ["git", "-c", "user.name=Dana", "-c", "user.email=dana@example.com", *arguments],
            cwd=self.github.path_of(REPOSITORY),
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def merge(self, method: str = "merge") -> None:
        """Merge the open pull request as the reviewer."""
        (pull,) = self.pulls("open")
        self.as_reviewer("PUT", f"/pulls/{pull['number']}/merge", json={"merge_method": method})

    def revert(self) -> None:
        """Revert the merge at the head of ``main``."""
        commit = self.git("commit-tree", "main~1^{tree}", "-p", "main", "-m", "Revert the merge")
        self.git("update-ref", "refs/heads/main", commit.strip())

    def as_reviewer(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request to the repository's API as the reviewer."""
        answer = requests.request(
            method,
            f"{self.github.api_url}/repos/{REPOSITORY}{path}",
            headers={"Authorization": f"Bearer {self.github.token_of('reviewer')}"},
            timeout=300,  # of a large repository, a merge takes its time
            **arguments,
        )
        answer.raise_for_status()
        return answer


def _changed(block: str, changes: dict[str, Any], **values: Any) -> dict[str, Any]:
    prefix = f"{block}__"
    return values | {
        key.removeprefix(prefix): value for key, value in changes.items() if key.startswith(prefix)
    }


def _save(block: Block, name: str) -> None:
    # In an async test `save` would hand back a coroutine; Prefect's types do not know the switch.
    block.save(name, overwrite=True, _sync=True)  # type: ignore[call-arg]
