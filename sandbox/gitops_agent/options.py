"""What the agent is told: which repository, which cluster, and where things are in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Folders of the repository.
APP_OF_APPS = "argocd/overlays/moc-infra/applications/app-of-apps"
APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/{env}/{cluster}"
CLUSTER_OVERLAY = "cluster-scope/overlays/prod/{env}/{cluster}"
OPERATOR_OVERLAY = "external-secrets/overlays/{env}/{cluster}"
OPERATOR_BUNDLE = "cluster-scope/bundles/external-secrets-operator"
SECRET_MANAGEMENT = f"{CLUSTER_OVERLAY}/secret-mgmt"


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that `GitOpsAgent` needs.

    Args:
        repository: URL of the Git repository, without credentials in it.
        branch: the branch that ArgoCD deploys.
        kubeconfig: file with the credentials of an administrator of the cluster.
        environment: first half of the cluster's folder names.
        cluster: second half.
        state_dir: ours alone; holds the checkout, ``ready.json`` and ``report.json``.
        token_file: file with the token for the repository.
        only_onboarding: for a cluster that is not a stand-in: apply only the objects that an onboarding
            brings, as far as the server knows their kinds, and remember them for `clean_up`.
        operator_delay: seconds from a Subscription to the operator's CRDs.
    """

    repository: str
    branch: str
    kubeconfig: Path
    environment: str
    cluster: str
    state_dir: Path
    token_file: Path | None = None
    only_onboarding: bool = False
    operator_delay: float = 0.5

    def path(self, folder: str) -> str:
        """One of the folders above, with environment and cluster filled in."""
        return folder.format(env=self.environment, cluster=self.cluster)
