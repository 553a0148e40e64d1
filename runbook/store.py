"""What an organisation's workloads read Vault through: the stores of External Secrets Operator."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from runbook.templates import Described, Label, check_label

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")


def crd_of(kind: str) -> str:
    """Full name of the CustomResourceDefinition of a kind of store."""
    return f"{kind.lower()}s.external-secrets.io"


class CaProvider(Described):
    """An object on the cluster that holds the certificates of Vault."""

    kind: Literal["Secret", "ConfigMap"]
    name: str
    key: str = Field(description="Its entry with the certificates, PEM.")
    namespace: Label | None = Field(
        default=None, description="Of a ClusterSecretStore, which must say it; a SecretStore must not."
    )

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return ".".join(map(check_label, value.split(".")))

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", value):
            msg = f"{value!r} must be letters, digits, hyphens, underscores and dots"
            raise ValueError(msg)
        return value

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}, key {self.key}"


class Store(Described):
    """What workloads read Vault through: the operator's own names are in `kind` and `ca_provider`."""

    kind: Literal["SecretStore", "ClusterSecretStore"] = Field(
        default="SecretStore",
        description="A SecretStore in each namespace, with its ServiceAccount; or one ClusterSecretStore, "
        "which its conditions open to the namespaces of runs, and which logs in as one ServiceAccount.",
    )
    name: Label = "opf-vault-store"
    service_account: Label = Field(
        default="vault-secret-fetcher",
        description="The starter ServiceAccount as which it logs in, of runs that do not name one.",
    )
    namespace: Label | None = Field(
        default=None,
        description="Of the ServiceAccount of a ClusterSecretStore; by default the operator's namespace.",
    )
    component: str | None = Field(
        default=None,
        description="Kustomize Component or base of the repository that brings SecretStore and "
        "ServiceAccount of a namespace. By default a run makes a base for each cluster.",
    )
    ca_provider: CaProvider | None = Field(
        default=None,
        description="Where the operator finds the CA of Vault, instead of `ca_cert_for_clusters` of the "
        "VaultConnection. It must be there before.",
    )

    @property
    def is_cluster_wide(self) -> bool:
        """Whether one store serves all namespaces of a cluster."""
        return self.kind == "ClusterSecretStore"

    @property
    def crd(self) -> str:
        """Full name of its kind's definition."""
        return crd_of(self.kind)

    @property
    def plural(self) -> str:
        """The kind as a resource."""
        return f"{self.kind.lower()}s"

    @field_validator("component")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and not all(map(_PART.fullmatch, value.split("/"))):
            msg = f"{value!r} must be a path inside the repository: names separated by a slash"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        ca = self.ca_provider
        if self.namespace and not self.is_cluster_wide:
            msg = f"namespace={self.namespace!r} is for a ClusterSecretStore alone: a SecretStore has its own"
            raise ValueError(msg)
        if self.component and self.is_cluster_wide:
            msg = (
                f"component={self.component!r} is for SecretStores: a ClusterSecretStore that the overlay of "
                "a cluster builds already is found there"
            )
            raise ValueError(msg)
        if ca and bool(ca.namespace) != self.is_cluster_wide:
            msg = (
                f"ca_provider.namespace is {ca.namespace or 'empty'}: a ClusterSecretStore must say it, and "
                "a SecretStore looks in its own namespace"
            )
            raise ValueError(msg)
        return self
