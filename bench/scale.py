"""What grows with the size of an installation: each part measures, and returns sections of the table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from bench import large, many_runs
from bench.crowd import Crowd
from bench.fleet import policy_for
from bench.gate import looks
from bench.measure import say
from bench.onboarding import Cost, onboard
from bench.stage import ENABLE, set_up
from bench.table import Row, Section, render
from bench.traffic import SYSTEMS
from bench.world import World
from sandbox.distributed_prefect import DistributedPrefect
from sandbox.prefect_api import POOL_LIMIT
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer

_WATCH = "watch-merges/watch-merges"
_INSTALLATIONS: Mapping[str, tuple[type[PrefectServer], int]] = {
    "SQLite, 1 worker": (PrefectServer, 1),
    "PostgreSQL, 1": (DistributedPrefect, 1),
    "PostgreSQL, 2": (DistributedPrefect, 2),
}


def _number(name: str, otherwise: int) -> int:
    return max(1, int(os.environ.get(f"BENCH_{name}", "") or otherwise))


@contextmanager
def _prefect(directory: Path, kind: type[PrefectServer]) -> Iterator[PrefectServer]:
    """Started, with the flows deployed; nothing looks for merges by itself."""
    with kind(directory) as prefect:
        prefect.deploy()
        watcher = prefect.api.deployment(_WATCH)["id"]
        prefect.api.request("POST", f"/deployments/{watcher}/pause_deployment")
        yield prefect


def many_at_once(directory: Path) -> list[Section]:
    """Runs at the same time, on each kind of installation."""
    runs, limit = _number("RUNS", 50), _number("LIMIT", POOL_LIMIT)
    found = []
    for number, (name, (kind, workers)) in enumerate(_INSTALLATIONS.items()):
        say(f"{runs} runs at once: {name}")
        here = directory / str(number)
        with _prefect(here / "prefect", kind) as prefect:
            found.append(many_runs.measure(here / "fleet", prefect, workers, runs, limit))

    def row(what: str, figure: Callable[[many_runs.Figures], str]) -> Row:
        first, second, third = map(figure, found)
        return Row(what, (first, second, third))

    def asked(system: str, one: many_runs.Figures) -> str:
        return f"{one.requests.get(system, 0):.1f}"

    first, second, third = _INSTALLATIONS
    return [
        Section(
            f"{runs} runs at once, each with its merge, {limit} at a time",
            (first, second, third),
            [
                row("Completed by themselves", lambda one: f"{one.completed}/{one.runs}"),
                row("crashes on the way", lambda one: str(one.crashes)),
                row("wall, without merges and syncs", lambda one: f"{one.wall:.0f} s"),
                row("CPU a run", lambda one: f"{one.cpu:.1f} s"),
                row("peak memory of a process", lambda one: f"{one.megabytes:.0f} MB"),
                *(
                    row(f"requests a run: {system}", partial(asked, system))
                    for system in SYSTEMS
                    if system != "cluster"
                ),
            ],
        )
    ]


def waiting(directory: Path) -> list[Section]:
    """One look of the merge service at many waiting runs."""
    size = _number("WAITING", 2000)
    rows = []
    with set_up(directory) as stage:
        stage.prefect.stop_worker()
        crowd = Crowd(stage.world, stage.prefect.api, stage.prefect.api.deployment(ENABLE)["id"])
        for some in sorted({min(size, 50), size}):
            say(f"{some} waiting runs")
            crowd.grow_to(some)
            requests, seconds = looks(stage, crowd)
            rows += [
                Row(f"{some} waiting runs: requests to GitHub and Git", _three(map(str, requests))),
                Row(f"{some} waiting runs: time", _three(f"{one:.2f} s" for one in seconds)),
            ]
    return [Section("One look of the merge service", ("first look", "nothing new", "base moved"), rows)]


def _three(values: Iterator[str]) -> tuple[str, str, str]:
    first, second, third = values
    return first, second, third


def large_systems(directory: Path) -> list[Section]:
    """One onboarding where the systems hold little, and where one of them holds much."""
    fillings: dict[str, tuple[str, Callable[[World], None]]] = {
        f"Git: {large.FILES:,} files, {large.COMMITS:,} commits": (
            "Git",
            lambda world: large.fill_repository(world, large.FILES, large.COMMITS),
        ),
        f"Vault: {large.GROUPS:,} groups, {large.MOUNTS} mounts, {large.POLICIES:,} policies": (
            "Vault",
            lambda world: large.fill_vault(world.vault, large.GROUPS, large.MOUNTS, large.POLICIES),
        ),
        f"cluster: {large.NAMESPACES:,} namespaces": (
            "cluster",
            lambda world: large.fill_cluster(world.kubernetes, large.NAMESPACES),
        ),
    }
    rows = []
    with _prefect(directory / "prefect", PrefectServer) as prefect:
        small = _onboard(directory / "small", prefect, lambda _world: None)
        for number, (words, (system, fill)) in enumerate(fillings.items()):
            say(words)
            much = _onboard(directory / str(number), prefect, fill)
            rows += [Row(words, ("", "", "")), *_compared(system, small, much)]
    return [Section("One onboarding", ("small", "large", "times"), rows)]


def _compared(system: str, small: Cost, much: Cost) -> Iterator[Row]:
    figures = {
        f"requests to {system}": (small.requests[system], much.requests[system], "{:.0f}"),
        f"received from {system}": (small.received[system] / 1e3, much.received[system] / 1e3, "{:,.0f} kB"),
        "CPU": (small.cpu, much.cpu, "{:.1f} s"),
        "peak memory": (small.megabytes, much.megabytes, "{:.0f} MB"),
    }
    for what, (before, after, form) in figures.items():
        times = f"{after / before:.1f}" if before else ""
        yield Row(f"  {what}", (form.format(before), form.format(after), times))


def _onboard(directory: Path, prefect: PrefectServer, fill: Callable[[World], None]) -> Cost:
    with (
        temporary_settings(updates={PREFECT_API_URL: prefect.api_url}),
        VaultServer(directory / "vault", pipeline_policy=policy_for("ember")) as vault,
        World.at(directory / "world", vault) as world,
    ):
        vault.reset()
        fill(world)
        return onboard(prefect, world, directory / "runs.log")


PARTS: Mapping[str, Callable[[Path], list[Section]]] = {
    "runs": many_at_once,
    "waiting": waiting,
    "systems": large_systems,
}


def measure_what_grows(directory: Path) -> None:
    """Measure the part that BENCH_PART names, or all, and print the table."""
    wanted = os.environ.get("BENCH_PART", "")
    sections = []
    for part, measure in PARTS.items():
        if wanted in {"", part}:
            sections += measure(directory / part)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print(render(sections))
