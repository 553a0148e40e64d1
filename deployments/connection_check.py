"""Ask every system of an installation what preflight asks, before the first run: nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from change.table import Table
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.connection_file import NamedConnection
from runbook.checks import Check, counted
from runbook.names import Cluster
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
    vault = next((one.block for one in connections if isinstance(one.block, VaultConnection)), None)
    repository = next((one.block for one in connections if isinstance(one.block, GitOpsRepository)), None)
    clusters = {one.name: one.block for one in connections if isinstance(one.block, ClusterConnection)}
    together = Table("Vault")

    def apart() -> str:
        check_apart(targets)
        return ", ".join(map(str, targets))

    together.check("Clusters do not share a name", apart)
    rows = together.rows
    for target in targets:
        wanted = EnableRequest(
            cluster=target.name,
            env=target.env,
            namespaces=("any",),
            plan_only=read_only,
            conventions=target.conventions,
        )
        # Only a run says for which namespaces it is, so that nothing is asked of any here.
        request = wanted.model_copy(update={"namespaces": ()})
        found = investigate(ENABLE_CLUSTER, Connections(vault, repository, clusters[target.name]), request)
        rows += [
            replace(row, system=f"{row.system} {target}") if row.system == "OpenShift" else row
            for row in found.rows
        ]
    # What to do may name the cluster; to have it said once is enough.
    once: dict[Check, Check] = {}
    for row in rows:
        once.setdefault(replace(row, remedy=""), row)
    return list(once.values())


def as_text(rows: Sequence[Check]) -> str:
    """The rows as a table, what to do about them, and how many there are of each kind."""
    cells = [(row.status, row.system, row.prerequisite, row.found) for row in rows]
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(cell, widths, strict=False)), cell[3]])
        for cell in cells
    ]
    lines += ["", *(f"{row.system}, {row.prerequisite}: {row.remedy}" for row in rows if row.remedy)]
    return "\n".join([*lines, "", counted(rows)])
