"""Where things are in the GitOps repository.

The defaults are those of operate-first/apps. Another repository fits by naming its own paths in the
`GitOpsRepository` connection, and with None for what it does not have: an operator that others install, no
folder of the operator's own, ArgoCD's Applications elsewhere. ``{env}`` and ``{cluster}`` are replaced.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from runbook.conventions import RUNBOOK
from runbook.errors import InvalidInput
from runbook.foreign_text import hides
from runbook.names import Cluster
from runbook.templates import filled

_OF_ONE_CLUSTER = ("cluster_overlay", "operator_overlay", "applications")
"""Fields with ``{cluster}`` in them: each cluster has its own of these paths."""

_NAMES = ("application", "sibling_application")
"""Fields that are the name of a file and of an Application, not a path."""

_TEMPLATES = (*_OF_ONE_CLUSTER, *_NAMES, "application_set")
"""The fields in which ``{env}`` and ``{cluster}`` are replaced."""

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
    operator_bundle: str | None = Field(
        default="cluster-scope/bundles/external-secrets-operator",
        description="Bundle that installs the operator: namespace, reviewer's binding, Subscription. "
        "None where others install it.",
    )
    bundle_listed_in: Literal["cluster_overlay", "operator_overlay"] = Field(
        default="cluster_overlay",
        description="Whose kustomization lists `operator_bundle`.",
    )
    operator_overlay: str | None = Field(
        default="external-secrets/overlays/{env}/{cluster}",
        description="Overlay with the operator's configuration and the reviewer's ServiceAccount. None where "
        "these come with the bundle or the cluster's overlay; no Application of their own is needed then.",
    )
    operator_base: str | None = Field(
        default="external-secrets/base",
        description="Base that the operator overlays refer to. None where they have none.",
    )
    applications: str | None = Field(
        default="argocd/overlays/moc-infra/applications/envs/{env}/{cluster}",
        description="Folder of the cluster's ArgoCD Applications. None where they are in another repository.",
    )
    application_group: str = Field(
        default="cluster-management",
        description="Sub-folder of `applications` that holds `sibling_application` and ours; empty where "
        "they lie directly in it.",
    )
    application: str = Field(
        default="external-secrets",
        description="Our Application: the name of its file, without .yaml, and its own name.",
    )
    sibling_application: str = Field(
        default="cluster-resources",
        description="The Application of the cluster's overlay, beside ours: the name of its file, without "
        ".yaml. Ours is deployed as it is.",
    )
    app_of_apps: str | None = Field(
        default="argocd/overlays/moc-infra/applications/app-of-apps",
        description="Folder of the Applications that deploy each cluster's Applications. None where they are "
        "in another repository.",
    )
    application_set: str | None = Field(
        default=None,
        description="File with the ApplicationSet that makes the Applications of the operator's overlays, or "
        "of the clusters' overlays where `operator_overlay` is None. No Application is written then, and "
        "`applications` and what belongs to it are not used.",
    )
    secret_management: str = Field(
        default="secret-mgmt",
        description="Sub-folder of `cluster_overlay` with the SecretStore and the starter ServiceAccount.",
    )
    vault_cluster: str | None = Field(
        default="moc/smaug",
        description="<env>/<cluster> where Vault runs; the Groups of its administrators are declared there. "
        "None where no Group is to be looked for.",
    )
    groups: str = Field(
        default="groups",
        description="Sub-folder of a cluster's overlay with OpenShift Groups.",
    )

    @field_validator("*")
    @classmethod
    def _is_a_path(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or (value == "" and info.field_name == "application_group"):
            return value
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

    @field_validator(*_NAMES)
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if "/" in value or value.endswith((".yaml", ".yml")):
            msg = f"{value!r} must be the name of an Application: without a folder, and without .yaml"
            raise ValueError(msg)
        return value

    @field_validator("application_set")
    @classmethod
    def _is_a_file(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith((".yaml", ".yml")):
            msg = f"{value!r} must be a YAML file: .yaml or .yml"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _can_be_listed(self) -> Self:
        if self.bundle_listed_in == "operator_overlay" and self.operator_overlay is None:
            msg = "bundle_listed_in is operator_overlay, and there is none: name one, or leave it out"
            raise ValueError(msg)
        return self

    @field_validator(*_OF_ONE_CLUSTER)
    @classmethod
    def _is_of_one_cluster(cls, value: str | None) -> str | None:
        # Not `{env}`: no two clusters of one Vault have the same name, as their mounts would.
        if value is None or "{cluster}" in value:
            return value
        msg = f"{value!r} must contain {{cluster}}: else all clusters share one path"
        raise ValueError(msg)

    @field_validator("vault_cluster")
    @classmethod
    def _names_a_cluster(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                _cluster(value)
        except InvalidInput:
            problem = f"{value!r} must be <env>/<cluster>, or where there are no environments <cluster>"
        else:
            return value
        raise ValueError(problem)

    def _of(self, template: str, cluster: Cluster) -> str:
        return filled(template, cluster.env, cluster.name)

    def cluster_overlay_of(self, cluster: Cluster) -> str:
        """Folder of the cluster's own resources."""
        return self._of(self.cluster_overlay, cluster)

    def operator_overlay_of(self, cluster: Cluster) -> str | None:
        """Folder of the cluster's operator configuration."""
        return None if self.operator_overlay is None else self._of(self.operator_overlay, cluster)

    def reviewer_folder_of(self, cluster: Cluster) -> str:
        """Folder that brings the reviewer's objects: the operator's overlay, or else the cluster's."""
        return self.operator_overlay_of(cluster) or self.cluster_overlay_of(cluster)

    def installing_folder_of(self, cluster: Cluster) -> str:
        """Folder whose kustomization lists the operator's bundle."""
        of_operator = self.bundle_listed_in == "operator_overlay"
        return self.reviewer_folder_of(cluster) if of_operator else self.cluster_overlay_of(cluster)

    def applications_of(self, cluster: Cluster) -> str | None:
        """Folder of the cluster's ArgoCD Applications; None where a set makes them, too."""
        if self.applications is None or self.application_set is not None:
            return None
        return self._of(self.applications, cluster)

    def application_group_of(self, cluster: Cluster) -> str | None:
        """Folder in which our Application and its sibling lie."""
        folder = self.applications_of(cluster)
        return f"{folder}/{self.application_group}" if folder and self.application_group else folder

    def app_of_apps_of(self, cluster: Cluster) -> str | None:
        """Folder of the Application that deploys the cluster's Applications."""
        return self.app_of_apps if self.applications_of(cluster) else None

    def application_of(self, cluster: Cluster) -> str:
        """Name of our Application, and of its file without an ending."""
        return self._of(self.application, cluster)

    def sibling_application_of(self, cluster: Cluster) -> str:
        """Name of the Application of the cluster's overlay, and of its file without an ending."""
        return self._of(self.sibling_application, cluster)

    def application_set_of(self, cluster: Cluster) -> str | None:
        """File with the ApplicationSet that makes the Application of `reviewer_folder_of`."""
        return None if self.application_set is None else self._of(self.application_set, cluster)

    def secret_management_of(self, cluster: Cluster) -> str:
        """Folder with the SecretStore and the starter ServiceAccount of the cluster."""
        return f"{self.cluster_overlay_of(cluster)}/{self.secret_management}"

    @property
    def vault_home(self) -> Cluster | None:
        """The cluster on which Vault runs."""
        return None if self.vault_cluster is None else _cluster(self.vault_cluster)


def _cluster(path: str) -> Cluster:
    env, _, name = path.rpartition("/")
    return Cluster(env, name, RUNBOOK if env else RUNBOOK.model_copy(update={"environments": False}))
