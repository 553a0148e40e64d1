"""A whole installation for one test: real Vault, Git remote, GitHub and Kubernetes stand-ins, GitOps agent.

The pipeline's flows run against it in this process through a real Prefect server; what needs a worker lives
in ``tests/e2e``.
"""

from __future__ import annotations

import inspect
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import requests
import yaml
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, TaskRun
from prefect.client.schemas.sorting import LogSort, TaskRunSort
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.logging.handlers import APILogHandler

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.sandbox.environment import clean_environment
from deployments.sandbox.github_api import GitHubApi
from deployments.sandbox.gitops_agent.agent import GitOpsAgent
from deployments.sandbox.gitops_agent.options import Options
from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.vault_server import VaultServer
from flows.enable_cluster import enable_cluster
from tests.github_checkout import Checkout

REPOSITORY = "sandbox/gitops"
SEED = Path(__file__).parents[1] / "deployments" / "sandbox" / "repository"


def seed_repository(directory: Path, folder: Path = SEED) -> Path:
    """The fixture repository, or another folder, as a Git repository with one commit on ``main``."""
    work = directory / "seed"
    shutil.copytree(folder, work)
    environment = clean_environment(directory / "home")
    for arguments in (
        ["init", "--quiet", "--template=", "--initial-branch=main"],
        ["add", "--all"],
        ["-c", "user.name=seed", "-c", "user.email=seed@example.com", "commit", "--quiet", "-m", "Seed"],
        # As a server keeps it, in one file: some tests copy it a hundred times.
        ["repack", "--quiet", "-a", "-d"],
    ):
        subprocess.run(["git", *arguments], cwd=work, env=environment, check=True)
    return work


@dataclass
class World:
    """What a test needs to drive and to look at."""

    vault: VaultServer
    kubernetes: KubernetesApi
    github: GitHubApi
    agent: GitOpsAgent
    cluster: str = "ember"
    suffix: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of a run for the cluster."""
        return {
            "cluster": self.cluster,
            "env": "emea",
            "namespaces": ["payments", "web"],
            "sync_timeout": "1s",
            "vault": f"vault-{self.suffix}",
            "gitops": f"gitops-{self.suffix}",
            "cluster_connection": f"{self.cluster}-{self.suffix}",
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
        _save(cluster, f"{self.cluster}-{self.suffix}")

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

    def merge(self, method: str = "merge") -> None:
        """Merge the open pull request as the reviewer."""
        (pull,) = self.pulls("open")
        self.as_reviewer("PUT", f"/pulls/{pull['number']}/merge", json={"merge_method": method})

    def forget_runs_under_way(self) -> None:
        """Delete the runs that have not ended: the server outlives this world, and others' runs see them."""
        ended = {"state": {"type": {"not_any_": sorted(TERMINAL_STATES)}}}
        with get_client(sync_client=True) as client:
            for run in client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(ended)):
                client.delete_flow_run(run.id)

    def land_by_hand(self, directory: Path) -> None:
        """Bring the proposed change to ``main`` as a person does; its pull request stays open."""
        checkout = Checkout(directory, "by-hand", self.github.token_of("reviewer"))
        checkout.clone(self.github.clone_url(REPOSITORY))
        checkout.git("merge", "--quiet", "--squash", f"origin/enable-vault/emea/{self.cluster}")
        checkout.git("commit", "--quiet", "--message", "Enable the cluster by hand")
        checkout.git("push", "--quiet", "origin", "main")

    def revert(self, directory: Path) -> None:
        """Revert the merge at the head of ``main`` and push that, as a person does."""
        checkout = Checkout(directory, "revert", self.github.token_of("reviewer"))
        checkout.clone(self.github.clone_url(REPOSITORY))
        checkout.git("revert", "--no-edit", "--mainline=1", "HEAD")
        checkout.git("push", "--quiet", "origin", "main")

    def as_vault_admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """One request to Vault by somebody who changes things by hand."""
        answer = requests.request(
            method,
            f"{self.vault.address}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self.vault.root_token},
            verify=str(self.vault.ca_file),
            timeout=30,
        )
        answer.raise_for_status()

    def foreign_role(self) -> dict[str, Any]:
        """A role that somebody else uses."""
        return {
            "bound_service_account_names": ["billing"],
            "bound_service_account_namespaces": ["billing"],
            "token_policies": ["billing"],
        }

    def delete_service_account(self, namespace: str, name: str) -> None:
        """Remove a ServiceAccount from the cluster by hand."""
        self._as_cluster_admin("DELETE", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

    def create_service_account(self, namespace: str, name: str) -> None:
        """Put one there."""
        self._as_cluster_admin(
            "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}}
        )

    def delete_cluster_role_binding(self, name: str) -> None:
        """Take a right away by hand."""
        self._as_cluster_admin("DELETE", f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}")

    def _as_cluster_admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        config = yaml.safe_load(Path(self.kubernetes.admin_kubeconfig).read_text())
        answer = requests.request(
            method,
            f"{self.kubernetes.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
            verify=str(self.kubernetes.ca_file),
            timeout=30,
        )
        answer.raise_for_status()

    def as_reviewer(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request to the repository's API as the reviewer."""
        answer = requests.request(
            method,
            f"{self.github.api_url}/repos/{REPOSITORY}{path}",
            headers={"Authorization": f"Bearer {self.github.token_of('reviewer')}"},
            timeout=30,
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


class Run:
    """One flow run of a deployment, executed in this process each time `go` is called."""

    def __init__(self, flow: Flow[..., Any], id_: UUID) -> None:
        self.flow = flow
        self.id = id_
        self.error: BaseException | None = None

    @classmethod
    async def create(cls, flow: Flow[..., Any], parameters: dict[str, Any]) -> Run:
        """Create the run as the UI does: from a deployment, parameters checked by the server."""
        async with get_client() as client:
            deployment = await client.create_deployment(
                await client.create_flow(flow),
                name="test",
                enforce_parameter_schema=True,
                parameter_openapi_schema=flow.parameters.model_dump_for_openapi(),
            )
            run = await client.create_flow_run_from_deployment(deployment, parameters=parameters)
        return cls(flow, run.id)

    async def go(self) -> str:
        """Execute until it ends or suspends; returns the name of the state it is in then."""
        self.error = None
        try:
            result = run_flow(self.flow, flow_run=await self.read())
            if inspect.isawaitable(result):
                await result
        except Pause:
            pass
        except Exception as error:  # noqa: BLE001 - whatever the flow raises is what the test looks at
            self.error = error
        state = (await self.read()).state
        assert state is not None
        assert state.name is not None
        return state.name

    async def again(self) -> str:
        """A new run of the same flow with the same parameters, executed; this object stands for it then."""
        made = await Run.create(self.flow, (await self.read()).parameters)
        self.id = made.id
        return await self.go()

    async def resume(self, run_input: dict[str, Any] | None = None) -> None:
        """Wake it up, as the UI, the watcher or an automation does."""
        async with get_client() as client:
            await client.resume_flow_run(self.id, run_input=run_input)

    async def read(self) -> FlowRun:
        """The run as the server has it."""
        async with get_client() as client:
            return await client.read_flow_run(self.id)

    async def tasks(self) -> list[TaskRun]:
        """All task runs, oldest first."""
        async with get_client() as client:
            return await client.read_task_runs(
                flow_run_filter=_only(self.id), sort=TaskRunSort.EXPECTED_START_TIME_ASC
            )

    async def artifacts(self) -> dict[str, Any]:
        """Artifacts by key."""
        async with get_client() as client:
            found = await client.read_artifacts(
                artifact_filter=ArtifactFilter.model_validate({"flow_run_id": {"any_": [self.id]}})
            )
        return {artifact.key or "": artifact.data for artifact in found}

    async def logs(self) -> str:
        """The run's log, with what this process has not sent yet."""
        await APILogHandler.aflush()
        async with get_client() as client:
            entries = await client.read_logs(
                LogFilter.model_validate({"flow_run_id": {"any_": [self.id]}}), sort=LogSort.TIMESTAMP_ASC
            )
        return "\n".join(entry.message for entry in entries)


def _only(run: UUID) -> Any:
    from prefect.client.schemas.filters import FlowRunFilter

    return FlowRunFilter.model_validate({"id": {"any_": [run]}})


async def enable(world: World, **changes: Any) -> Run:
    """A run of `enable-cluster` for the world's cluster, created and not started."""
    return await Run.create(enable_cluster, world.parameters | changes)


@contextmanager
def world_at(directory: Path, vault: VaultServer) -> Iterator[World]:
    """Start everything but Vault, which the session has."""
    with (
        GitHubApi(directory / "github", {REPOSITORY: seed_repository(directory)}) as github,
        cluster_at(directory, vault, github) as world,
    ):
        yield world


@contextmanager
def cluster_at(
    directory: Path, vault: VaultServer, github: GitHubApi, cluster: str = "ember"
) -> Iterator[World]:
    """Start a cluster of emea and its GitOps agent, for a repository that has its folders."""
    with KubernetesApi(directory / "kubernetes", cluster_name=cluster) as kubernetes:
        token = directory / "token"
        token.write_text(github.token_of("read-only"))
        options = Options(
            repository=github.clone_url(REPOSITORY),
            branch="main",
            kubeconfig=Path(kubernetes.admin_kubeconfig),
            environment="emea",
            cluster=cluster,
            state_dir=directory / "agent",
            token_file=token,
            operator_delay=0,
        )
        with GitOpsAgent(options, lambda line: None) as agent:
            yield World(vault, kubernetes, github, agent, cluster)
