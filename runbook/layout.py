"""Where things are in the GitOps repository.

The defaults are those of operate-first/apps. Another repository with the same idea fits by naming its own
paths in the `GitOpsRepository` connection. ``{env}`` and ``{cluster}`` are replaced.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from runbook.conventions import RUNBOOK
from runbook.errors import InvalidInput
from runbook.foreign_text import hides
from runbook.names import Cluster

_TEMPLATES = ("cluster_overlay", "operator_overlay", "applications")
"""The fields in which ``{env}`` and ``{cluster}`` are replaced; each cluster has its own of these paths."""

_PLACEHOLDER = re.compile(r"\{.*?\}|[{}]")
_FOLDER = re.compile(r"(?!\s)[^\\]+(?<!\s)")
"""The name of a folder: no backslash, no blank at an end, nor what `hides` finds."""


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
    def _is_a_path(cls, value: str, info: ValidationInfo) -> str:
        parts = value.split("/")
        are_names = all(_FOLDER.fullmatch(part) for part in parts) and not hides(value)
        if not are_names or not {".", "..", ".git"}.isdisjoint(parts):
            msg = (
                f"{value!r} must be a path inside the repository: names separated by a slash, none of them "
                "'.', '..' or '.git', without invisible characters, and no slash at either end"
            )
            raise ValueError(msg)
        allowed = ("{env}", "{cluster}") if info.field_name in _TEMPLATES else ()
        unknown = sorted(set(_PLACEHOLDER.findall(value)).difference(allowed))
        if unknown:
            msg = f"{value!r} has {', '.join(unknown)}; allowed here: {', '.join(allowed) or 'nothing'}"
            raise ValueError(msg)
        return value

    @field_validator(*_TEMPLATES)
    @classmethod
    def _is_of_one_cluster(cls, value: str) -> str:
        # Not `{env}`: no two clusters of one Vault have the same name, as their mounts would.
        if "{cluster}" in value:
            return value
        msg = f"{value!r} must contain {{cluster}}: else all clusters share one path"
        raise ValueError(msg)

    @field_validator("vault_cluster")
    @classmethod
    def _names_a_cluster(cls, value: str) -> str:
        env, _, name = value.rpartition("/")
        try:
            _cluster(env, name)
        except InvalidInput:
            problem = f"{value!r} must be <env>/<cluster>, or where there are no environments <cluster>"
        else:
            return value
        raise ValueError(problem)

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
        env, _, name = self.vault_cluster.rpartition("/")
        return _cluster(env, name)


def _cluster(env: str, name: str) -> Cluster:
    return Cluster(env, name, RUNBOOK if env else RUNBOOK.model_copy(update={"environments": False}))
