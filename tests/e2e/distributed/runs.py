"""Runs for several clusters on an installation of several servers and workers, and who wakes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.distributed_prefect import DistributedPrefect
from sandbox.log_check import unexplained
from sandbox.vault_server import VaultServer
from tests.engineer import Engineer
from tests.fleet import enabled_as_one_environment
from tests.merge_service import EXPECTED, Service
from tests.world import World

ENABLE = "enable-cluster/enable-cluster"
PATIENCE = 600.0
"""Seconds until a state that should come is given up."""


class Runs:
    """A run for each cluster."""

    def __init__(self, engineer: Engineer, worlds: Sequence[World]) -> None:
        self.worlds = worlds
        self._engineer = engineer
        # The runs are woken by the merge; the clusters are synced one after the other.
        self.ids = [engineer.start(ENABLE, {**world.parameters, "sync_timeout": "10m"}) for world in worlds]

    def states(self) -> list[str]:
        """Of each run."""
        return [self._engineer.api.flow_run(run)["state"]["name"] for run in self.ids]

    def until(self, condition: Callable[[list[str]], bool]) -> None:
        """Wait until it holds for the runs' states."""
        deadline = time.monotonic() + PATIENCE
        while not condition(states := self.states()):
            assert time.monotonic() < deadline, (states, *map(self._engineer.log, self.ids))
            assert not {"Failed", "Cancelled"} & set(states), (states, *map(self._engineer.log, self.ids))
            time.sleep(0.3)

    def all_are(self, name: str) -> None:
        """Wait until all runs are in this state."""
        self.until(lambda states: set(states) == {name})


@contextmanager
def merge_services(server: DistributedPrefect, world: World, directory: Path) -> Iterator[None]:
    """Two at once, both told by GitHub."""
    with ExitStack() as stack:
        for name in ("service-1", "service-2"):
            service = Service(server, directory / name)
            stack.callback(service.stop_all)
            service.start(interval=10.0)
            world.github.webhooks.append(service.webhook)
        yield
    logs = sorted(directory.glob("service-*/logs/*.log"))
    errors = unexplained(logs, EXPECTED)
    assert not errors, "\n".join(errors)


def nothing_is_lost_or_doubled(vault: VaultServer, worlds: Sequence[World]) -> None:
    """One pull request a cluster, and in Vault one of each object."""
    assert [pull["state"] for pull in worlds[0].pulls()] == ["closed"] * len(worlds)
    enabled_as_one_environment(vault, worlds)
