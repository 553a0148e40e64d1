"""Whole runs of `enable-cluster` through a real worker: requests, time until one starts, memory it takes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Self

import psutil

from bench.stage import Stage
from bench.traffic import Asked, Traffic
from sandbox.environment import CHECKOUT

_SAMPLE_SECONDS = 0.1
_OF_THE_WORKER = ("prefect.flow_runs.worker", "prefect.flow_runs.runner")


@dataclass
class Figures:
    """What the runs showed.

    Attributes:
        first, second: requests of the first run of a cluster, and of a later one.
        first_line: seconds from the creation of a run to the first line that its own process logs.
        running: seconds from its creation until the flow is Running.
        whole: seconds from then to its end, for a cluster that is as wanted.
        megabytes: peak of resident memory of the flow's process.
    """

    first: list[Asked]
    second: list[Asked]
    first_line: list[float] = field(default_factory=list)
    running: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def import_seconds(stage: Stage) -> float:
    """How long a fresh process takes to import the flow, and Prefect with it."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import prefect.engine, flows.enable_cluster"],
        cwd=CHECKOUT,
        env=stage.prefect.environment,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    return time.perf_counter() - began


class Processes:
    """Watches the workers' processes of flow runs: their CPU, and each one's peak of memory.

    Attributes:
        cpu: seconds of those that have ended.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = [one for one in psutil.Process().children(recursive=True) if _is_worker(one)]
        if len(self._workers) != workers:
            msg = f"{len(self._workers)} workers were found, and {workers} started"
            raise RuntimeError(msg)
        self._peaks: Counter[int] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory of the runs")

    def __enter__(self) -> Self:
        self._before = self._used()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.cpu = self._used() - self._before

    def _used(self) -> float:
        """Seconds of all processes that the workers have started and that have ended."""
        times = [worker.cpu_times() for worker in self._workers]
        return sum(one.children_user + one.children_system for one in times)

    @property
    def megabytes(self) -> float:
        """Median of the peaks."""
        return median(self._peaks.values()) / 1e6 if self._peaks else 0.0

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            for worker in self._workers:
                for process in worker.children():
                    try:
                        self._peaks[process.pid] = max(self._peaks[process.pid], process.memory_info().rss)
                    except psutil.Error:  # ended meanwhile
                        continue


def _is_worker(process: psutil.Process) -> bool:
    try:
        # Python, the program, its command: not the launcher above it, which has all three further behind.
        return process.cmdline()[2:3] == ["worker"]
    except psutil.Error:
        return False


def measure(stage: Stage, rounds: int) -> Figures:
    """Enable the fixture's cluster once, then run again as often as ``rounds`` says."""
    figures = Figures(_first(stage), [])
    traffic = Traffic(stage.world)
    for number in range(rounds):
        run = stage.create_run()
        with Processes() as processes:
            found = stage.wait_for(run, "COMPLETED")
        if number == 0:
            figures.second = list(traffic.requests())
        created = _moment(found["created"])
        started = _moment(found["start_time"])
        figures.megabytes.append(processes.megabytes)
        figures.first_line.append(_first_line(stage, run) - created)
        figures.running.append(started - created)
        figures.whole.append(_moment(found["end_time"]) - started)
    return figures


def _first(stage: Stage) -> list[Asked]:
    traffic = Traffic(stage.world)
    run = stage.create_run()
    stage.wait_for(run, "PAUSED")
    until_suspended = list(traffic.requests())
    stage.world.merge()
    # The GitOps agent and the reviewer ask the same stand-ins: they do not count.
    stage.world.sync()
    traffic.forget()
    stage.prefect.api.resume(run, {})
    stage.wait_for(run, "COMPLETED")
    return [*until_suspended, *traffic.requests()]


def _first_line(stage: Stage, run: str) -> float:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        # Lines are sent in batches: the last may come after the run has ended.
        own = [line for line in stage.prefect.api.logs(run) if _is_own(line)]
        if own:
            return _moment(own[0]["timestamp"])
        time.sleep(0.2)
    msg = f"run {run} logged nothing"
    raise TimeoutError(msg)


def _is_own(line: Mapping[str, Any]) -> bool:
    return not str(line["name"]).startswith(_OF_THE_WORKER)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
