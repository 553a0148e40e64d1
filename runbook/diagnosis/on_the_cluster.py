"""Causes on the cluster: the starter ServiceAccount and its token, the reviewer, the SecretStore."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runbook.diagnosis.cause import Cause
from runbook.names import AUTH_DELEGATOR, ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT

REVIEWER = f"{ESO_NAMESPACE}/{REVIEWER_SERVICE_ACCOUNT}"


@dataclass(frozen=True, slots=True)
class NamespaceMissing(Cause):
    """The starter's namespace is not there"""

    system = "OpenShift"
    vault_says = ""
    namespace: str

    @property
    def subject(self) -> str:
        return f"namespace {self.namespace}"

    @property
    def answer(self) -> str:
        return "is not there"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's cluster-resources Application in ArgoCD, or correct `namespaces`."


@dataclass(frozen=True, slots=True)
class StarterMissing(Cause):
    """The starter ServiceAccount is not there"""

    system = "OpenShift"
    account: str

    @property
    def subject(self) -> str:
        return f"ServiceAccount {self.account}"

    @property
    def answer(self) -> str:
        return "is not there"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's cluster-resources Application in ArgoCD; it comes with the pull request."


@dataclass(frozen=True, slots=True)
class StarterRemade(Cause):
    """The starter ServiceAccount was made anew after its token"""

    system = "OpenShift"
    account: str
    token_uid: str
    uid: str

    @property
    def subject(self) -> str:
        return f"ServiceAccount {self.account}"

    @property
    def answer(self) -> str:
        return f"was deleted and made anew: its uid is {self.uid}, the client's token is of {self.token_uid}"

    @property
    def remedy(self) -> str:
        return "Run again: a new token is of the new ServiceAccount. If it stays, find out who recreates it."


@dataclass(frozen=True, slots=True)
class ClientTokenExpired(Cause):
    """The client's token has expired by Vault's clock"""

    system = "OpenShift"
    vault_says = "token is expired"
    account: str
    ended: datetime
    vault_clock: datetime

    @property
    def subject(self) -> str:
        return f"token of {self.account}"

    @property
    def answer(self) -> str:
        return (
            f"expired at {self.ended:%Y-%m-%d %H:%M:%S} UTC; Vault's clock says "
            f"{self.vault_clock:%Y-%m-%d %H:%M:%S}"
        )

    @property
    def remedy(self) -> str:
        return "Ask for a new token; if a new one is expired too, set the clocks of cluster and Vault."


@dataclass(frozen=True, slots=True)
class ClientTokenRefused(Cause):
    """The cluster does not accept the client's token"""

    system = "OpenShift"
    account: str
    words: str

    @property
    def subject(self) -> str:
        return f"token of {self.account}"

    @property
    def answer(self) -> str:
        return f"is refused by the API server that Vault asks: {self.words or 'no reason given'}"

    @property
    def remedy(self) -> str:
        return "Find out in the cluster why it refuses a token that it has just issued."


@dataclass(frozen=True, slots=True)
class ReviewerMissing(Cause):
    """The reviewer's ServiceAccount is not there"""

    system = "OpenShift"

    @property
    def subject(self) -> str:
        return f"ServiceAccount {REVIEWER}"

    @property
    def answer(self) -> str:
        return "is not there, so the reviewer JWT that Vault has of it is not accepted"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's external-secrets Application in ArgoCD, then run enable-cluster again."


@dataclass(frozen=True, slots=True)
class ReviewerMayNotReview(Cause):
    """The reviewer has no system:auth-delegator"""

    system = "OpenShift"

    @property
    def subject(self) -> str:
        return f"ServiceAccount {REVIEWER}"

    @property
    def answer(self) -> str:
        return f"may not create tokenreviews: it is not bound to {AUTH_DELEGATOR}"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's cluster-resources Application in ArgoCD; it brings the ClusterRoleBinding."


@dataclass(frozen=True, slots=True)
class StoreNotReady(Cause):
    """The SecretStore is not Ready. ``seen`` is its condition, ``event`` the operator's last word on it"""

    system = "OpenShift"
    blocks = "store"
    vault_says = ""
    store: str
    seen: str
    event: str

    @property
    def subject(self) -> str:
        return f"SecretStore {self.store}"

    @property
    def answer(self) -> str:
        event = f" (Event: {self.event})" if self.event else ""
        return f"is not Ready: {self.seen}{event}"

    @property
    def remedy(self) -> str:
        return (
            "The login itself works from here. Check that the operator reaches Vault's address with its CA, "
            "and that role and mountPath of the SecretStore are those of this cluster."
        )


@dataclass(frozen=True, slots=True)
class StoreMissing(Cause):
    """The operator runs, and the SecretStore is not there"""

    system = "OpenShift"
    blocks = "store"
    vault_says = ""
    store: str

    @property
    def subject(self) -> str:
        return f"SecretStore {self.store}"

    @property
    def answer(self) -> str:
        return "is not there, or not in a version that the cluster serves"

    @property
    def remedy(self) -> str:
        return "Sync the cluster's cluster-resources Application in ArgoCD; it comes with the pull request."
