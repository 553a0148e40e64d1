"""A worker of a test's own, and the processes in which workers have runs executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from sandbox.prefect_server import PrefectServer


def flow_processes(server: PrefectServer, run: str | None = None) -> list[psutil.Process]:
    """The processes that execute runs for the server's worker, or the one that executes this run."""
    found = []
    for process in psutil.process_iter():
        try:
            variables = process.environ()
            is_ours = variables.get("PREFECT_API_URL") == server.api_url
            is_it = variables.get("PREFECT__FLOW_RUN_ID") == run if run else True
            if is_ours and is_it and "prefect.engine" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@contextmanager
def worker(server: PrefectServer, name: str = "worker", **options: Any) -> Iterator[None]:
    """A worker that is gone at the end, however that is."""
    server.start_worker(name, **options)
    try:
        yield
    finally:
        server.stop_worker(name)
