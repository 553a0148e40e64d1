"""Everything that a run needs, on this machine: started, connected, deployed, and ended together.

    with Installation(directory, options, say) as installation:
        installation.prefect.api.create_flow_run(...)

What `DemoOptions` replaces by the real thing is not started here and is left alone at the end.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sandbox.certificates import write_private
from sandbox.cluster_account import ClusterAccount
from sandbox.demo_env import write_environment
from sandbox.demo_options import DemoOptions
from sandbox.distributed_prefect import DistributedPrefect
from sandbox.environment import CHECKOUT, clean_environment
from sandbox.fixture_repository import make_repository
from sandbox.github_client import GitHubClient
from sandbox.gitops_agent.cluster import server_of
from sandbox.leaving import leave_cluster
from sandbox.ports import LOOPBACK, free_port
from sandbox.prefect_server import USUAL_PORT as PREFECT_PORT
from sandbox.prefect_server import PrefectServer
from sandbox.processes import (
    Started,
    Supervisor,
    file_exists,
    http_answers,
    output_of,
    signals_held_back,
)
from sandbox.vault_seed import VaultAdmin, make_group
from sandbox.vault_server import USUAL_PORT as VAULT_PORT
from sandbox.vault_server import VaultServer

REPOSITORY = "sandbox/gitops"
PROPOSER, REVIEWER = "pipeline", "reviewer"
_COMMAND_SECONDS = 120.0
_SERVICE_SECONDS = 120.0
_SERVICE, _WOKEN = "merge-service", " was woken: "


class Installation(Started):
    """The systems of one demo.

    Attributes:
        prefect: server and worker.
        vault: None where a real Vault is used.
        github: the GitHub stand-in as the reviewer sees it.
    """

    vault: VaultServer | None = None
    prefect: PrefectServer
    github: GitHubClient

    def __init__(self, directory: Path, options: DemoOptions, say: Callable[[str], None]) -> None:
        """
        Args:
            directory: everything is kept in here; it is emptied.
            options: which cluster, and what is real.
            say: takes lines for people.
        """
        self._directory = directory.resolve()
        self._options = options
        self._say = say
        self._stack = ExitStack()
        self._account: ClusterAccount | None = None
        self._repository: dict[str, str] = {}
        # Both sides need it before the other one runs.
        self._service_port = free_port()
        self._service_url = f"http://{LOOPBACK}:{self._service_port}"
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700, parents=True)
        self._supervisor = Supervisor(self._directory / "logs")
        self._environment = clean_environment(self._directory / "home")

    def stop(self) -> None:
        """End everything that was started; on a real cluster, take away what was put there."""
        with signals_held_back():
            self._stack.close()
            if self._options.kubeconfig:
                leave_cluster(
                    self._options.kubeconfig,
                    self._directory / "agent",
                    self._account,
                    lambda line: self._say(f"  on the cluster: {line}"),
                )
            if self._options.kubeconfig or self._options.vault_address:
                self._forget_secrets()

    def wake_ups(self) -> list[str]:
        """Whom the merge service woke and why, in its own words; the oldest first."""
        log = self._supervisor.logs / f"{_SERVICE}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return [line.split(" INFO ", 1)[-1] for line in lines if _WOKEN in line]

    def check(self) -> None:
        """Raise `SandboxError` if something that should run has ended."""
        self._supervisor.check()
        self.prefect.check()
        if self.vault:
            self.vault.check()

    def start(self) -> None:
        """Start everything that is not the real thing, and connect it."""
        # The Prefect server takes longest by far: it starts first, the others meanwhile.
        kind = DistributedPrefect if self._options.distributed else PrefectServer
        self.prefect = kind(self._directory / "prefect", PREFECT_PORT)
        self._stack.callback(self.prefect.stop)
        self._stack.callback(self._supervisor.stop_all)
        self.prefect.begin()
        vault = self._start_vault()
        self._start_github()
        admin_kubeconfig = self._options.kubeconfig or self._start_kubernetes()
        cluster = self._make_account(admin_kubeconfig)
        self._start_agent(admin_kubeconfig)
        file = self._write_connections(vault, cluster)
        write_environment(self._directory / "demo.env", self.prefect.api_url, vault, cluster, file)
        self._timed("Prefect server", self.prefect.wait_until_ready, self.prefect.ui_url)
        self.prefect.start_workers()
        connect = "deployments.connect"
        self._timed("connections", lambda: self._printed(connect, str(file)), f"python -m {connect}")
        # After the connections: it reads once a minute which repositories they name.
        self._start_merge_service()
        self._timed("deployments", self.prefect.deploy, "prefect --no-prompt deploy --all")
        self._timed("worker", self.prefect.wait_for_workers, "work pool enablement")
        self._timed("merge service", self._wait_for_merge_service, "python -m deployments.merge_service")

    def _timed(self, what: str, start: Callable[[], Any], where: str) -> None:
        started = time.monotonic()
        start()
        self._say(f"  {what:<24} {where}  ({time.monotonic() - started:.1f} s)")

    def _start_vault(self) -> dict[str, Any]:
        """Start it, or take the real one. Returns the section of the connection file."""
        options = self._options
        if options.vault_address:
            self._say(f"  {'Vault':<24} {options.vault_address}  (yours)")
            token = self._secret("vault-token", options.vault_token)
            authority = {"ca_cert": {"file": str(options.vault_ca)}} if options.vault_ca else {}
            return {"address": options.vault_address, "token": token, **authority}
        vault = VaultServer(self._directory / "vault", VAULT_PORT, pipeline_policy=self._pipeline_policy)
        self._timed("Vault (OpenBao)", lambda: self._stack.enter_context(vault), vault.address)
        self.vault = vault
        return {
            "address": vault.address,
            "ca_cert": {"file": str(vault.ca_file)},
            "token": self._secret("vault-token", vault.pipeline_token),
        }

    def _pipeline_policy(self, admin: VaultAdmin) -> str:
        env = self._options.env
        accessor, group_id = make_group(admin, f"vault-admins-{env}", f"{env}-kv-rw", f"Vault {env} Admin")
        return self._printed(
            "deployments.vault.policy",
            *(f"{env}/{self._options.cluster}", "--oidc-accessor", accessor, "--group", f"{env}={group_id}"),
        )

    def _start_github(self) -> None:
        directory = self._directory / "github"
        seed = self._options.repository or str(make_repository(self._directory / "repository"))
        webhook_secret = secrets.token_hex(32)
        self._secret("webhook-secret", webhook_secret)
        command = [
            *("--state-dir", str(directory), "--repository", REPOSITORY, "--seed", seed),
            *("--webhook-url", f"{self._service_url}/webhook"),
        ]
        environment = {**self._environment, "WEBHOOK_SECRET": webhook_secret}
        github = partial(self._module, "github_api", command, directory, 300.0, environment)
        self._timed("GitHub (stand-in)", github, seed)
        self._repository = json.loads((directory / "ready.json").read_text())
        tokens = json.loads((directory / "tokens.json").read_text())
        self._secret("github-token", tokens[PROPOSER])
        self.github = GitHubClient(self._repository["api_url"], REPOSITORY, tokens[REVIEWER])

    def _start_merge_service(self) -> None:
        """With the documented command: it wakes the run when GitHub tells it of the merge."""
        command = [
            *("--host", LOOPBACK, "--port", str(self._service_port)),
            *("--webhook-secret-file", str(self._directory / "webhook-secret")),
        ]
        self._supervisor.start(
            _SERVICE,
            [sys.executable, "-m", "deployments.merge_service", *command],
            environment=self.prefect.environment,
            directory=CHECKOUT,
            grace=10.0,
        )

    def _wait_for_merge_service(self) -> None:
        healthy = http_answers(f"{self._service_url}/healthz")
        self._supervisor.wait_until(healthy, _SERVICE_SECONDS, "the merge service to be healthy")

    def _start_kubernetes(self) -> Path:
        directory = self._directory / "kubernetes"
        command = ["--state-dir", str(directory), "--cluster-name", self._options.cluster]
        what = f"API of {self._options.cluster} (stand-in)"
        self._timed(what, lambda: self._module("kubernetes_api", command, directory), "TLS, RBAC")
        return directory / "admin.kubeconfig"

    def _make_account(self, admin_kubeconfig: Path) -> dict[str, Any]:
        """The pipeline's own account. Returns the cluster's section of the connection file."""
        if self._options.kubeconfig:
            self._say(f"  {'API of ' + self._options.cluster:<24} {server_of(admin_kubeconfig)[0]}  (yours)")
        manifests = self._printed("deployments.openshift.account", *self._options.namespaces)
        self._account = ClusterAccount(admin_kubeconfig, manifests)
        self._account.create(lambda line: self._say(f"  on the cluster: {line}"))
        return {"kubeconfig": self._secret("kubeconfig", self._account.kubeconfig(self._options.cluster))}

    def _start_agent(self, admin_kubeconfig: Path) -> None:
        directory = self._directory / "agent"
        command = [
            *("--state-dir", str(directory), "--kubeconfig", str(admin_kubeconfig)),
            *("--repository", self._repository["clone_url"], "--branch", self._repository["default_branch"]),
            *("--token-file", str(self._directory / "github-token")),
            *("--environment", self._options.env, "--cluster", self._options.cluster),
        ]
        if self._options.kubeconfig:
            command.append("--only-onboarding")
        agent = partial(self._module, "gitops_agent", command, directory, 120.0)
        self._timed("GitOps agent", agent, "as ArgoCD would")

    def _module(
        self,
        name: str,
        arguments: list[str],
        directory: Path,
        within: float = 60.0,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._supervisor.start(
            name.replace("_", "-"),
            [sys.executable, "-m", f"sandbox.{name}", *arguments],
            environment=environment or self._environment,
            ready=file_exists(directory / "ready.json"),
            within=within,
        )

    def _secret(self, name: str, value: str) -> dict[str, str]:
        """Keep a secret in a file (0600); returns the reference to it for the connection file."""
        return {"file": str(write_private(self._directory / name, value))}

    def _write_connections(self, vault: dict[str, Any], cluster: dict[str, Any]) -> Path:
        file = self._directory / "connections.yaml"
        content = {
            "vault": vault,
            "gitops": {
                "url": self._repository["clone_url"],
                "repository": REPOSITORY,
                "base_branch": self._repository["default_branch"],
                "api_url": self._repository["api_url"],
                "token": {"file": str(self._directory / "github-token")},
            },
            "clusters": {self._options.cluster: {"env": self._options.env, **cluster}},
        }
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return file

    def _printed(self, module: str, *arguments: str) -> str:
        """What one of the project's own commands prints. As a process: what it needs to know of the pipeline,
        the sandbox need not.

        Raises:
            SandboxError: it failed.
        """
        command = [sys.executable, "-m", module, *arguments]
        return output_of(command, self.prefect.environment, CHECKOUT, _COMMAND_SECONDS)

    def _forget_secrets(self) -> None:
        """Credentials of real systems do not stay: neither as files nor in Prefect's database."""
        for name in ("vault-token", "kubeconfig"):
            (self._directory / name).unlink(missing_ok=True)
        for database in ("home", "postgresql"):
            shutil.rmtree(self._directory / "prefect" / database, ignore_errors=True)
