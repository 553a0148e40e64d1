"""The net under the merge gate: every few minutes, wake the runs whose world has changed."""

from __future__ import annotations

from prefect import flow

from tasks.watch import wake_waiting_runs


@flow(name="watch-merges")
async def watch_merges() -> None:
    """Look at what runs of `enable-cluster` wait for, and resume those that have a reason to look."""
    wake_waiting_runs()
