"""A whole installation, its connections saved in the session's Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.sandbox.prefect_server import PrefectServer
from deployments.sandbox.vault_server import VaultServer
from tests.world import World, world_at


@pytest.fixture
def world(prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    with world_at(tmp_path, vault) as made:
        made.connect()
        yield made
        made.forget_runs_under_way()
