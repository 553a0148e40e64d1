"""Open each system, and look at all names of one cluster in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from change.execution import cloned
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.derived_names.cluster import names_on_cluster
from deployments.derived_names.git import GitLook, names_in_git
from deployments.derived_names.rows import DerivedName, Finding, Row, rows_of
from deployments.derived_names.vault import VaultLook, names_in_vault
from runbook.errors import EnablementError
from runbook.hosts import ApiServer
from runbook.layout import Layout
from runbook.request import EnableRequest
from runbook.vault_store import VaultStore
from tasks import connect
from tasks.reviewer_record import configured_before

L = TypeVar("L")


def look_at_names(
    request: EnableRequest,
    vault: VaultConnection | None,
    repository: GitOpsRepository | None,
    cluster: ClusterConnection,
) -> list[Row]:
    """A row for every name, whatever becomes of the others; nothing is written.

    Args:
        request: the parameters of a run; without namespaces, what is in them is only named.
        vault, repository: None where the file has none.
        cluster: of the run.
    """
    in_vault = names_in_vault(request)
    in_git = names_in_git(request, repository.layout if repository else Layout())
    meant = connect.store(request, vault) if vault else VaultStore.meant(request, "", None, None)
    return [
        *_rows("Vault", in_vault, partial(_vault, vault, cluster, request) if vault else None),
        *_rows("Git", in_git, partial(_git, repository) if repository else None),
        *_rows("OpenShift", names_on_cluster(request, meant), cluster.client),
    ]


def _rows(
    system: str, names: Sequence[DerivedName[L]], opened: Callable[[], AbstractContextManager[L]] | None
) -> list[Row]:
    why = Finding("not checked", "the file has no such connection")
    try:
        if opened:
            with opened() as look:
                return rows_of(system, names, lambda name: name.look(look))
    except EnablementError as error:
        why = Finding("not checked", f"{error.subject}: {error.answer}")
    return rows_of(system, names, lambda _name: why)


@contextmanager
def _vault(
    connection: VaultConnection, cluster: ClusterConnection, request: EnableRequest
) -> Iterator[VaultLook]:
    api = _api(cluster, request)
    with connection.client() as vault:
        yield VaultLook(vault, api, lambda: configured_before(request, vault.http.place))


def _api(cluster: ClusterConnection, request: EnableRequest) -> ApiServer | None:
    try:
        with cluster.client() as client:
            return cluster.as_vault_sees_it(client, request.conventions.reviewer_ca)
    except EnablementError:
        return None  # Its own rows say why.


@contextmanager
def _git(connection: GitOpsRepository) -> Iterator[GitLook]:
    with cloned(connection) as clone:
        yield GitLook(connection, clone)
