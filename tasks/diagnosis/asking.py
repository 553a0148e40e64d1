"""Whom the diagnosis asks, and about whose login."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.hosts import ApiServer
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore
from systems.openshift import OpenShift
from systems.vault import Vault


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the diagnosis asks: Vault with the pipeline's own token, the cluster with its own account.

    Attributes:
        request: whose login.
        api: the cluster's API as Vault shall reach it, by the ClusterConnection. Tokens go there alone.
        store: the SecretStore that a run brings.
        patience: seconds for one connection to the cluster's API.
        applications: their names, where a run knows them.
    """

    request: ClusterRequest
    vault: Vault
    openshift: OpenShift
    api: ApiServer
    store: VaultStore
    patience: float = 10
    applications: ApplicationNames = IN_WORDS

    @property
    def role(self) -> str:
        """Path of the cluster's role, as an operator writes it."""
        return f"auth/{self.request.target.mount}/role/{self.request.target.role}"
