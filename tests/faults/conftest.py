"""An installation behind failing proxies, and a warm process that forks runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.vault_server import VaultServer
from tests.faults.installation import Proxies, proxies_of
from tests.faults.run import WAITS
from tests.faults.state import settle
from tests.faults.warm import Outcome, WarmProcess
from tests.world import World


@pytest.fixture
def proxies(vault: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxies]:
    plans = tmp_path_factory.mktemp("plans")
    with World.at(tmp_path_factory.mktemp("world"), vault) as world, proxies_of(world, plans) as made:
        yield made


@pytest.fixture
def warm(proxies: Proxies, tmp_path: Path) -> Iterator[WarmProcess]:
    """A process that has made the first half of a run, whose traces are gone."""
    with WarmProcess(tmp_path / "temporary") as process:
        assert process.warm_up(proxies.scene()) == Outcome(0, WAITS, "", "")
        proxies.world.github.reset()
        settle(proxies.world)
        yield process
