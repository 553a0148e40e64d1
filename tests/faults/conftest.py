"""An installation behind failing proxies, and a warm process that forks runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.sandbox.vault_server import VaultServer
from tests.faults.installation import Proxies, proxies_of
from tests.faults.run import WAITS
from tests.faults.state import settle
from tests.faults.warm import Outcome, WarmProcess
from tests.world import world_at

_STRUCK = "requests struck"

Counted = Callable[..., None]
"""What was done to requests, to how many, and how many runs were made again (0: each step in its own run)."""


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Counted:
    """Keep a count for the end of the session."""

    def keep(what: str, requests: int, runs_again: int = 0) -> None:
        record_property(_STRUCK, (what, requests, runs_again))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many requests were struck, and how."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _STRUCK
    ]
    if found:
        terminalreporter.section("requests killed or failed on purpose")
        for what, requests, again in found:
            terminalreporter.write_line(f"{requests:5} {what}{f'; {again} runs again' if again else ''}")
        terminalreporter.write_line(f"{sum(requests for _, requests, _ in found):5} in all")


@pytest.fixture
def proxies(vault: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxies]:
    plans = tmp_path_factory.mktemp("plans")
    with world_at(tmp_path_factory.mktemp("world"), vault) as world, proxies_of(world, plans) as made:
        yield made


@pytest.fixture
def warm(proxies: Proxies, tmp_path: Path) -> Iterator[WarmProcess]:
    """A process that has made the first half of a run, whose traces are gone."""
    with WarmProcess(tmp_path / "temporary") as process:
        assert process.warm_up(proxies.scene()) == Outcome(0, WAITS, "", "")
        proxies.world.github.reset()
        settle(proxies.world)
        yield process
