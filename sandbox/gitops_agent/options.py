"""What the agent is told: which repository, which cluster, and where things are in the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders of the repository; those of the sandbox's, where nothing else is said.

    ``application_sets`` makes the Applications in place of the first two, where it is not empty. Where
    ``applications`` is empty, these are in another repository, and deploy the two overlays.
    """

    app_of_apps: str = "argocd/overlays/moc-infra/applications/app-of-apps"
    applications: str = "argocd/overlays/moc-infra/applications/envs/{env}/{cluster}"
    cluster_overlay: str = "cluster-scope/overlays/prod/{env}/{cluster}"
    operator_overlay: str = "external-secrets/overlays/{env}/{cluster}"
    operator_bundle: str = "cluster-scope/bundles/external-secrets-operator"
    secret_management: str = "cluster-scope/overlays/prod/{env}/{cluster}/secret-mgmt"  # noqa: S105 - a path
    application_sets: str = ""


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
        folders: where things are in the repository.
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
    folders: Folders = Folders()

    def path(self, folder: str) -> str:
        """One of the folders, with environment and cluster filled in."""
        return folder.format(env=self.environment, cluster=self.cluster)
