"""Ask every system of an installation what preflight asks, before the first run, and what is there under the
names of a cluster: nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from change.table import Table
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.connection_file import NamedConnection
from deployments.derived_names.look import look_at_names
from deployments.derived_names.rows import Row
from runbook.checks import Check, counted
from runbook.names import Cluster, connection_name
from runbook.request import EnableRequest
from runbook.rights import check_apart
from tasks.preflight.step import Connections, investigate
from tasks.runbooks import ENABLE_CLUSTER


def ask(
    targets: Sequence[Cluster], connections: Sequence[NamedConnection], *, read_only: bool
) -> list[Check]:
    """What enabling each of the clusters would find; rows that all of them share stand there once.

    Args:
        targets: the clusters of a file.
        connections: of the same file.
        read_only: rights to write may lack.
    """
    vault, repository, clusters = _by_kind(connections)
    together = Table("Vault")

    def apart() -> str:
        check_apart(targets)
        return ", ".join(map(str, targets))

    together.check("Clusters do not share a name", apart)
    rows = together.rows
    for target in targets:
        # Only a run says for which namespaces it is, so that nothing is asked of any here.
        request = _request(target, plan_only=read_only)
        found = investigate(
            ENABLE_CLUSTER, Connections(vault, repository, clusters[connection_name(target.name)]), request
        )
        rows += [
            replace(row, system=f"{row.system} {target}") if row.system == "OpenShift" else row
            for row in found.rows
        ]
    # What to do may name the cluster; to have it said once is enough.
    once: dict[Check, Check] = {}
    for row in rows:
        once.setdefault(replace(row, remedy=""), row)
    return list(once.values())


def ask_names(
    target: Cluster, connections: Sequence[NamedConnection], namespaces: Sequence[str]
) -> list[Row]:
    """Every name that is derived for a cluster, and what is there under it.

    Args:
        target: one of the clusters of a file.
        connections: of the same file.
        namespaces: names of those in which to look.
    """
    vault, repository, clusters = _by_kind(connections)
    # Records of runs are found by the name under which the connection of Vault is saved.
    name = next((one.name for one in connections if one.block is vault), "vault")
    request = _request(target, namespaces, vault=name)
    return look_at_names(request, vault, repository, clusters[connection_name(target.name)])


def _by_kind(
    connections: Sequence[NamedConnection],
) -> tuple[VaultConnection | None, GitOpsRepository | None, dict[str, ClusterConnection]]:
    vault = next((one.block for one in connections if isinstance(one.block, VaultConnection)), None)
    repository = next((one.block for one in connections if isinstance(one.block, GitOpsRepository)), None)
    clusters = {one.name: one.block for one in connections if isinstance(one.block, ClusterConnection)}
    return vault, repository, clusters


def _request(target: Cluster, namespaces: Sequence[str] = (), **parameters: Any) -> EnableRequest:
    """The parameters of a run; it may name no namespace, which a run may not."""
    if namespaces:
        return EnableRequest.of_any(target, namespaces=tuple(namespaces), **parameters)
    return EnableRequest.of_any(target, **parameters).model_copy(update={"namespaces": ()})


def as_text(rows: Sequence[Check], names: Sequence[Row] = (), heading: str = "") -> str:
    """The rows as a table, what to do about them, the table of the names, and a count of the rows."""
    lines = _aligned([(row.status, row.system, row.prerequisite, row.found) for row in rows])
    lines += ["", *(f"{row.system}, {row.prerequisite}: {row.remedy}" for row in rows if row.remedy)]
    if names:
        lines += ["", heading, *_aligned(names)]
    return "\n".join([*lines, "", counted(rows)])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
