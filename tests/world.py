"""The installation against which the tests run, and what people do to it by hand.

The pipeline's flows run against it in this process through a real Prefect server; what needs a worker lives
in ``tests/e2e``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.states import Cancelled

from bench import world
from bench.world import REPOSITORY
from sandbox.ports import ANSWER_SECONDS
from tests.github_checkout import Checkout
from tests.kubernetes_objects import Cluster


class World(world.World):
    """What a test needs to drive and to look at."""

    def forget_runs_under_way(self) -> None:
        """Cancel the runs that have not ended: the server outlives this world, and others' runs see them.

        They are not deleted: the server records what their tasks did a little later, and a worker may have
        taken one up; both log an error for each run that is not there any more. One that has crashed would
        be started again by the next look.
        """
        under_way = {"state": {"type": {"not_any_": sorted(TERMINAL_STATES - {StateType.CRASHED})}}}
        with get_client(sync_client=True) as client:
            for run in client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(under_way)):
                client.set_flow_run_state(run.id, Cancelled(), force=True)

    def clone(self, directory: Path, *options: str) -> Checkout:
        """Somebody's clone of the repository, below ``directory``."""
        made = Checkout(directory / "somebody", "checkout", self.github.token_of("reviewer"))
        return made.clone(self.github.clone_url(REPOSITORY), *options)

    def land_by_hand(self, directory: Path) -> None:
        """Bring the proposed change to ``main`` as a person does; its pull request stays open."""
        checkout = self.clone(directory / "by-hand")
        checkout.git("merge", "--quiet", "--squash", f"origin/enable-vault/emea/{self.cluster}")
        checkout.git("commit", "--quiet", "--message", "Enable the cluster by hand")
        checkout.git("push", "--quiet", "origin", "main")

    def as_vault_admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """One request to Vault by somebody who changes things by hand."""
        answer = requests.request(
            method,
            f"{self.vault.address}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self.vault.root_token},
            verify=str(self.vault.ca_file),
            timeout=ANSWER_SECONDS,
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
        Cluster(self.kubernetes).send("DELETE", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

    def create_service_account(self, namespace: str, name: str) -> None:
        """Put one there."""
        Cluster(self.kubernetes).send(
            "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}}
        )

    def serve_secret_stores(self, *versions: str) -> None:
        """Put the SecretStore's CRD on the cluster, as an operator does that serves these versions."""
        name = {"plural": "secretstores", "singular": "secretstore", "kind": "SecretStore"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        served = [
            {
                "name": version,
                "served": version in versions,
                "storage": version == versions[0],
                "schema": schema,
            }
            for version in ("v1", "v1beta1")
        ]
        spec = {"group": "external-secrets.io", "scope": "Namespaced", "names": name, "versions": served}
        metadata = {"name": "secretstores.external-secrets.io"}
        Cluster(self.kubernetes).send(
            "POST",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": metadata,
                "spec": spec,
            },
        )
