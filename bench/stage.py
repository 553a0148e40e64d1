"""Everything that is measured against: an installation, a Prefect server with a worker, the flows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.scene import Scene
from bench.world import World
from deployments.openshift.account import account_manifests
from sandbox.certificates import write_private
from sandbox.cluster_account import ClusterAccount
from sandbox.prefect_api import FINAL_STATES
from sandbox.prefect_server import PrefectServer
from sandbox.processes import SandboxError
from sandbox.vault_server import VaultServer

ENABLE = "enable-cluster/enable-cluster"
_WATCH = "watch-merges/watch-merges"
_RUN_SECONDS = 300.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Stage:
    """The systems, started and connected; the flows are deployed and a worker waits."""

    directory: Path
    prefect: PrefectServer
    world: World
    scene: Scene

    def create_run(self) -> str:
        """A run of `enable-cluster` for the fixture's cluster, created as the UI does. Returns its id."""
        return self.prefect.api.create_flow_run(ENABLE, self.world.parameters)

    def wait_for(self, run: str, state: str) -> dict[str, Any]:
        """Wait until the run is in the state of that type, and return the run.

        Raises:
            SandboxError: it ended otherwise, or takes too long.
        """
        deadline = time.monotonic() + _RUN_SECONDS
        while True:
            self.prefect.check()
            found = self.prefect.api.flow_run(run)
            now = found["state"]
            if now["type"] == state:
                return found
            if now["type"] in FINAL_STATES or time.monotonic() > deadline:
                msg = f"the run is {now['name']} and not {state}: {now['message']}"
                raise SandboxError(msg)
            time.sleep(_POLL_SECONDS)


@contextmanager
def set_up(directory: Path) -> Iterator[Stage]:
    """Start everything, with the pipeline's own narrow account on the cluster."""
    with (
        PrefectServer(directory / "prefect") as prefect,
        VaultServer(directory / "vault") as vault,
        World.at(directory / "world", vault) as world,
        temporary_settings(updates={PREFECT_API_URL: prefect.api_url}),
    ):
        manifests = yaml.safe_dump_all(account_manifests(world.parameters["namespaces"]))
        account = ClusterAccount(Path(world.kubernetes.admin_kubeconfig), manifests)
        account.create()
        kubeconfig = account.kubeconfig("ember")
        # All ways come as root: the bench makes up clusters, and no policy names those.
        world.connect(vault__token=vault.root_token, cluster__kubeconfig=kubeconfig)
        prefect.deploy()
        # It would look at the repository at a time of its own choice.
        prefect.api.request("POST", f"/deployments/{prefect.api.deployment(_WATCH)['id']}/pause_deployment")
        prefect.start_worker()
        yield Stage(
            directory,
            prefect,
            world,
            _scene(directory, world, vault, write_private(directory / "kubeconfig", kubeconfig)),
        )


def _scene(directory: Path, world: World, vault: VaultServer, kubeconfig: Path) -> Scene:
    parameters = world.parameters
    return Scene(
        vault_address=vault.address,
        vault_ca_file=str(vault.ca_file),
        vault_token_file=str(vault.root_token_file),
        kubeconfig_file=str(kubeconfig),
        namespace=parameters["namespaces"][0],
        service_account="vault-secret-fetcher",
        vault_block=parameters["vault"],
        cluster_block=parameters["cluster_connection"],
        home=str(directory / "home"),
    )
