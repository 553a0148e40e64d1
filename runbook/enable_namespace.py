"""Enable External Secrets to one more namespace of a cluster that is enabled already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import model_validator

from runbook.changes import Change
from runbook.errors import PrerequisiteMissing
from runbook.foreign_text import code
from runbook.gitops import (
    BuildFolders,
    FileEdit,
    Present,
    StoreSettings,
    Tree,
    edits_with_patches,
    namespace_edits,
)
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.objects import Role, VaultObject
from runbook.pull_request import Purpose
from runbook.request import ClusterRequest

BRANCHES = "enable-namespace/"
"""Folder of the branches on which namespaces are proposed."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of a cluster."""

    cluster: Cluster
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"

    @property
    def key(self) -> str:
        """In the keys of artifacts. Those of different subjects can be alike, as those of clusters can."""
        return f"namespace-{self.cluster.key}-{self.name}"

    @property
    def branch(self) -> str:
        """The branch on which its change is proposed."""
        return f"{BRANCHES}{self}"


class BoundNamespace(Role):
    """The role of a cluster that is enabled: one namespace more is bound, all else stays as it is."""

    def compare_with(self, current: Mapping[str, Any] | None) -> Change:
        """
        Raises:
            PrerequisiteMissing: there is no role yet.
            Conflict: as of `Role`.
        """
        if current is None:
            raise PrerequisiteMissing(
                "Vault",
                self.name,
                "is not there: the cluster is not enabled",
                f"Run enable-cluster for {self.cluster} first.",
            )
        return super().compare_with(current)


class NamespaceRequest(ClusterRequest):
    """The checked parameters of `enable-namespace`; ``namespaces`` has the one namespace."""

    @model_validator(mode="before")
    @classmethod
    def _one_namespace(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "namespace" not in values:
            return values
        rest = {name: value for name, value in values.items() if name != "namespace"}
        return rest | {"namespaces": (values["namespace"],)}

    @property
    def subject(self) -> Namespace:
        return Namespace(self.target, self.namespaces[0])

    @property
    def objects(self) -> tuple[VaultObject, ...]:
        role = BoundNamespace(self.target, self.service_account, self.account_namespaces, self.role_policies)
        return (replace(role, adopted=role.name in self.adopt),)


def edits(
    tree: Tree, request: ClusterRequest, layout: Layout, settings: StoreSettings, build: BuildFolders
) -> tuple[FileEdit, ...]:
    """The namespace's folder and its line, as far as ``tree`` lacks them."""
    (overlay,) = build(tree, layout.cluster_overlay_of(request.target))
    wanted = partial(namespace_edits, tree, request, layout, settings)
    return edits_with_patches(wanted, Present.in_overlay(overlay), tree, request, layout, build)


def purpose(request: NamespaceRequest, _files: Mapping[str, str], _layout: Layout) -> Purpose:
    """The words of its pull request."""
    return with_scope(words_for(request, request.namespaces), request)


def words_for(request: ClusterRequest, namespaces: Sequence[str]) -> Purpose:
    """The words of a change that gives namespaces of an enabled cluster what they need, and no more."""
    several, names = len(namespaces) > 1, ", ".join(namespaces)
    kind, their = ("namespaces", "their") if several else ("namespace", "its")
    store, whom = request.target.store, f"the {kind} {', '.join(map(code, namespaces))}"
    what = (
        f"Gives {whom} of `{request.target}` {their} `SecretStore` and the ServiceAccount with which that "
        "logs in to Vault."
    )
    commit = f"Give {names} the SecretStore"
    if store.is_cluster_wide:
        what = f"Opens the ClusterSecretStore `{store.name}` of `{request.target}` to {whom}."
        commit = f"Open to {names} the ClusterSecretStore"
    return Purpose(
        title=f"Enable External Secrets to the {kind} {names} of {request.target}",
        what=what,
        why=f"Workloads of the {kind} get their secrets through `ExternalSecret` objects, as those of the "
        "cluster's other namespaces do.",
        commit=f"{commit} through which workloads read their secrets from Vault.",
    )


def with_scope(purpose: Purpose, request: ClusterRequest) -> Purpose:
    """The same, and what it lets workloads read; a text without that counts as well."""
    target = request.target
    if request.policy_scope == "cluster":
        path, whose = target.secrets_path, "this cluster alone"
    else:
        path = target.environment_path
        whose = f"all clusters of `{target.env}`" if target.env else "all clusters"
    who = "workloads with that ServiceAccount"
    if target.store.is_cluster_wide:
        who = "`ExternalSecret` objects of these namespaces"
    reads = (
        f"With `policy_scope={request.policy_scope}`, {who} can read the "
        f"secrets of {whose}: everything below `{target.secrets_mount}/{path}`."
    )
    return replace(purpose, what=f"{purpose.what} {reads}", former=purpose)
