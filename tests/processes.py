"""Runs of `enable-cluster` at the same time, each in a process of its own, as workers execute them.

The processes are forked from one that has imported everything, does nothing and has no thread.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from uuid import UUID

from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.enable_cluster import enable_cluster
from tests.run import Run

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])
_LONGEST = 600.0
"""Seconds until all runs must have ended: far above what they take, so that a test that hangs says so."""


def start(runs: Sequence[Run]) -> list[BaseProcess]:
    """Execute runs; each process ends when its run ends or suspends."""
    processes: list[BaseProcess] = [
        _CONTEXT.Process(target=_execute, args=(PREFECT_API_URL.value(), run.id)) for run in runs
    ]
    for process in processes:
        process.start()
    return processes


def wait_for(processes: Sequence[BaseProcess]) -> list[int | None]:
    """Wait until they have ended; returns exit codes, a negative one for the signal that ended a process."""
    deadline = time.monotonic() + _LONGEST
    try:
        for process in processes:
            process.join(max(0, deadline - time.monotonic()))
        return [process.exitcode for process in processes]
    finally:
        for process in processes:
            process.kill()


def _execute(api_url: str, run: UUID) -> None:
    with temporary_settings({PREFECT_API_URL: api_url}):
        asyncio.run(Run(enable_cluster, run).go())
