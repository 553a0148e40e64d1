"""The net under the merge gate: every few minutes, wake the runs whose change has landed."""

from __future__ import annotations

from prefect import flow

from tasks.watch import wake_landed_runs


@flow(name="watch-merges")
async def watch_merges() -> None:
    """Look at the repositories that runs of `enable-cluster` wait for, and resume those that may go on."""
    wake_landed_runs()
