"""Many runs at the same time, each of a cluster of its own, through real workers and the merge service."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from bench import fleet
from bench.gate import service
from bench.runs import Processes
from bench.stage import ENABLE
from bench.traffic import Traffic
from bench.world import World
from sandbox.github_api.limits import RateLimits
from sandbox.prefect_api import FINAL_STATES
from sandbox.prefect_server import WORK_POOL, PrefectServer
from sandbox.vault_server import VaultServer

_POLL_SECONDS = 1.0
_PATIENCE = 1800.0
_LOOK_SECONDS = 5.0
"""Between two looks of the merge service."""
_ENDED = FINAL_STATES - {"CRASHED"}
"""The merge service starts a crashed run again."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What many runs showed, those of clusters that nobody had enabled before.

    Attributes:
        runs: how many there were.
        completed: how many of them ended Completed, by themselves.
        crashes: how often one crashed, and was started again.
        wall: seconds of both executions of all, without the merges and syncs between them.
        cpu: seconds a run, of all its processes.
        megabytes: median of the peaks of resident memory of their processes.
        requests: by system a run, those of the merge service among them.
    """

    runs: int
    completed: int
    crashes: int
    wall: float
    cpu: float
    megabytes: float
    requests: dict[str, float]


def measure(directory: Path, prefect: PrefectServer, workers: int, runs: int, limit: int) -> Figures:
    """Enable so many new clusters at once.

    Args:
        directory: for their files.
        prefect: started, without a worker; the flows are deployed.
        workers: how many execute the runs.
        runs: how many there are.
        limit: of the work pool, on runs at the same time.
    """
    prefect.api.request("PATCH", f"/work_pools/{WORK_POOL}", {"concurrency_limit": limit})
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    clusters = [f"ember-{number}" for number in range(runs)]
    with (
        temporary_settings(updates={PREFECT_API_URL: prefect.api_url}),
        VaultServer(directory / "vault", pipeline_policy=fleet.policy_for(*clusters)) as vault,
        fleet.worlds_at(directory, vault, clusters, World) as worlds,
    ):
        vault.reset()
        worlds[0].github.rate_limits = RateLimits(writes_per_minute=10**6)
        fleet.connect(worlds)
        try:
            for name in names:
                prefect.start_worker(name)
            with Processes(workers) as processes:
                ids, completed, wall, requests = _enable(directory, prefect, worlds)
            crashes = sum(_crashes(prefect, run) for run in ids)
        finally:
            for name in names:
                prefect.stop_worker(name)
    each = {system: count / runs for system, count in requests.items()}
    return Figures(runs, completed, crashes, wall, processes.cpu / runs, processes.megabytes, each)


def _enable(
    directory: Path, prefect: PrefectServer, worlds: Sequence[World]
) -> tuple[list[str], int, float, Counter[str]]:
    """The runs, how many ended Completed, the seconds of both executions, and the requests by system."""
    github = worlds[0].github
    traffic, began = Traffic(worlds[0]), time.monotonic()
    with service(prefect, github, directory / "before", _LOOK_SECONDS, webhook=False):
        runs = [prefect.api.create_flow_run(ENABLE, world.parameters) for world in worlds]
        _wait(prefect, runs, {"PAUSED"})
    wall, asked = time.monotonic() - began, Counter(one.system for one in traffic.requests())
    fleet.merge(worlds)
    traffic.forget()
    began = time.monotonic()
    with service(prefect, github, directory / "after", _LOOK_SECONDS, webhook=False):
        ended = _wait(prefect, runs, set())
    wall += time.monotonic() - began
    asked.update(one.system for one in traffic.requests())
    del asked["cluster"]  # each has its own; the first one's says nothing of all
    return runs, ended["Completed"], wall, asked


def _wait(prefect: PrefectServer, runs: Sequence[str], until: set[str]) -> Counter[str]:
    """Wait until all runs are in a state of such a type, or have ended; how many are in which, by name."""
    deadline = time.monotonic() + _PATIENCE
    left, names = set(runs), Counter[str]()
    while left and time.monotonic() < deadline:
        for run in tuple(left):
            state = prefect.api.flow_run(run)["state"]
            if state["type"] in {*until, *_ENDED}:
                left.remove(run)
                names[state["name"]] += 1
        time.sleep(_POLL_SECONDS)
    return names


def _crashes(prefect: PrefectServer, run: str) -> int:
    states = prefect.api.request("GET", f"/flow_run_states/?flow_run_id={run}")
    return sum(state["type"] == "CRASHED" for state in states)
