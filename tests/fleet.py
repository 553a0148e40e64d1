"""Many clusters of one environment, see `bench.fleet`, as the tests drive them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import connect, merge, worlds_at
from sandbox.vault_server import VaultServer
from tests.world import World

__all__ = ["connect", "fleet_at", "merge"]


@contextmanager
def fleet_at(directory: Path, vault: VaultServer, clusters: Sequence[str]) -> Iterator[list[World]]:
    """The worlds; their runs that have not ended are cancelled in the end."""
    with worlds_at(directory, vault, clusters, World) as worlds:
        try:
            yield worlds
        finally:
            worlds[0].forget_runs_under_way()
