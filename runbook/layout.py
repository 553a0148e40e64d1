"""Where things are in the GitOps repository.

The defaults are those of operate-first/apps. Another repository with the same idea fits by naming its own
paths in the `GitOpsRepository` connection. ``{env}`` and ``{cluster}`` are replaced.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from runbook.names import Cluster


class Layout(BaseModel):
    """Paths in the GitOps repository, relative to its root, without a trailing slash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster_overlay: str = Field(
        default="cluster-scope/overlays/prod/{env}/{cluster}",
        description="Kustomize overlay with the cluster's own resources.",
    )
    operator_bundle: str = Field(
        default="cluster-scope/bundles/external-secrets-operator",
        description="Bundle that installs the operator: namespace, reviewer's binding, Subscription.",
    )
    operator_overlay: str = Field(
        default="external-secrets/overlays/{env}/{cluster}",
        description="Overlay with the operator's configuration and the reviewer's ServiceAccount.",
    )
    operator_base: str = Field(
        default="external-secrets/base",
        description="Base that the operator overlays refer to.",
    )
    applications: str = Field(
        default="argocd/overlays/moc-infra/applications/envs/{env}/{cluster}",
        description="Folder of the cluster's ArgoCD Applications.",
    )
    application_group: str = Field(
        default="cluster-management",
        description="Sub-folder of `applications` that holds cluster-resources.yaml and ours.",
    )
    app_of_apps: str = Field(
        default="argocd/overlays/moc-infra/applications/app-of-apps",
        description="Folder of the Applications that deploy each cluster's Applications.",
    )
    secret_management: str = Field(
        default="secret-mgmt",
        description="Sub-folder of `cluster_overlay` with the SecretStore and the starter ServiceAccount.",
    )
    vault_cluster: str = Field(
        default="moc/smaug",
        description="<env>/<cluster> where Vault runs; the Groups of its administrators are declared there.",
    )
    groups: str = Field(
        default="groups",
        description="Sub-folder of a cluster's overlay with OpenShift Groups.",
    )

    @field_validator("*")
    @classmethod
    def _is_relative(cls, value: str) -> str:
        if value.startswith("/") or value.endswith("/") or ".." in value.split("/"):
            msg = (
                f"{value!r} must be a path inside the repository, without '..' and without a slash at an end"
            )
            raise ValueError(msg)
        return value

    @field_validator("vault_cluster")
    @classmethod
    def _names_a_cluster(cls, value: str) -> str:
        if value.count("/") != 1:
            msg = f"{value!r} must be <env>/<cluster>"
            raise ValueError(msg)
        return value

    def _of(self, template: str, cluster: Cluster) -> str:
        return template.replace("{env}", cluster.env).replace("{cluster}", cluster.name)

    def cluster_overlay_of(self, cluster: Cluster) -> str:
        """Folder of the cluster's own resources."""
        return self._of(self.cluster_overlay, cluster)

    def operator_overlay_of(self, cluster: Cluster) -> str:
        """Folder of the cluster's operator configuration."""
        return self._of(self.operator_overlay, cluster)

    def applications_of(self, cluster: Cluster) -> str:
        """Folder of the cluster's ArgoCD Applications."""
        return self._of(self.applications, cluster)

    def application_group_of(self, cluster: Cluster) -> str:
        """Folder in which our Application and its sibling ``cluster-resources.yaml`` lie."""
        return f"{self.applications_of(cluster)}/{self.application_group}"

    def secret_management_of(self, cluster: Cluster) -> str:
        """Folder with the SecretStore and the starter ServiceAccount of the cluster."""
        return f"{self.cluster_overlay_of(cluster)}/{self.secret_management}"

    @property
    def vault_home(self) -> Cluster:
        """The cluster on which Vault runs."""
        env, name = self.vault_cluster.split("/")
        return Cluster(env, name)
