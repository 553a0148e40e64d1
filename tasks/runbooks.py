"""The runbooks: what each brings to the steps that they share, and to the gate at which their runs wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from change.connect import NoSuchConnection, connection
from change.execution import once
from change.runbook import Lack, Runbook
from connections import GitOpsRepository, RunbookConventions, VaultConnection
from runbook import enable_cluster, enable_namespace
from runbook.conventions import RUNBOOK, Conventions
from runbook.enable_namespace import NamespaceRequest
from runbook.errors import Busy
from runbook.gitops import BuildFolders, Built, FileEdit, StoreSettings, Tree
from runbook.layout import Layout
from runbook.names import CLUSTER_BRANCHES, check_name
from runbook.request import ClusterRequest, EnableRequest
from systems.kustomize import Known, Kustomize
from tasks import visit


@dataclass(frozen=True, slots=True)
class ClusterRunbook(Runbook):
    """A runbook that changes something for workloads of one cluster.

    Attributes:
        edits: what a tree lacks of the change, by the run's parameters, the repository's layout, what goes
            into a SecretStore, and a way to build folders.
    """

    edits: Callable[[Tree, Any, Layout, StoreSettings, BuildFolders], tuple[FileEdit, ...]]

    def missing(
        self,
        tree: Tree,
        asked: Any,
        repository: GitOpsRepository,
        vault: VaultConnection,
        served_versions: tuple[str, ...],
    ) -> tuple[FileEdit, ...]:
        with kustomize_of_this_execution() as kustomize:
            build = partial(complete, kustomize)
            return self.edits(tree, asked, repository.layout, store_settings(vault, served_versions), build)

    def place(self, asked: Any) -> str:
        return str(asked.cluster_connection)

    def prepare_visit(self, several: Sequence[tuple[Any, str]]) -> Callable[[], list[Lack]]:
        return visit.prepare(several)


def kustomize_of_this_execution() -> Kustomize:
    """Builds nothing twice of which an earlier step of this execution has built the same files."""
    known: Known = once("built folders", dict)
    return Kustomize(known=known)


def store_settings(vault: VaultConnection, served_versions: tuple[str, ...]) -> StoreSettings:
    """What goes into the SecretStore."""
    return StoreSettings(
        vault.server_for_clusters, vault.ca_for_clusters, served_versions, vault.namespace_for_clusters
    )


def complete(kustomize: Kustomize, tree: Tree, *folders: str) -> list[Built]:
    """Build what a change is worked out from.

    Raises:
        Busy: a build hit its limits, so that nobody knows what is there already.
    """
    built = kustomize.build(tree, *folders)
    for one in built:
        if one.limited:
            remedy = "It is retried automatically; if this stays, give the worker more memory and CPU."
            raise Busy("kustomize", one.folder, one.failure, remedy)
    return built


R = TypeVar("R", bound=ClusterRequest)

CONVENTIONS = "conventions"
"""Name of the Block that counts where a run names no other; without it, the runbook's own names do."""


def read(kind: type[R], parameters: Mapping[str, Any]) -> R:
    """The checked parameters of a flow run, with the conventions that they name.

    Raises:
        EnablementError: a parameter is wrong, or there are no such conventions.
        pydantic.ValidationError: they are those of another version.
    """
    name = check_name(CONVENTIONS, str(parameters.get(CONVENTIONS) or CONVENTIONS))
    conventions = once((CONVENTIONS, name), partial(_conventions, name))
    return kind.model_validate({**parameters, CONVENTIONS: conventions})


def _conventions(name: str) -> Conventions:
    try:
        return connection(RunbookConventions, CONVENTIONS, name).described
    except NoSuchConnection:
        if name == CONVENTIONS:
            return RUNBOOK
        raise


ENABLE_CLUSTER = ClusterRunbook(
    "enable-cluster",
    "enable {}",
    CLUSTER_BRANCHES,
    partial(read, EnableRequest),
    enable_cluster.purpose,
    enable_cluster.edits,
)
ENABLE_NAMESPACE = ClusterRunbook(
    "enable-namespace",
    "enable namespace {}",
    enable_namespace.BRANCHES,
    partial(read, NamespaceRequest),
    enable_namespace.purpose,
    enable_namespace.edits,
)
RUNBOOKS = (ENABLE_CLUSTER, ENABLE_NAMESPACE)

OTHERS = ("diagnose-cluster",)
"""Further flows whose runs go on by themselves after a crash."""
