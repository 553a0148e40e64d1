"""The processes in which a worker has runs executed."""

from __future__ import annotations

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
