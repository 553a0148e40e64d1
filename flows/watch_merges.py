"""The net under the merge gate: every few minutes, wake the runs whose world has changed."""

from __future__ import annotations

from prefect import flow

from change.gate.watch import wake_waiting_runs
from tasks.runbooks import OTHERS, RUNBOOKS


@flow(name="watch-merges")
async def watch_merges() -> None:
    """Check what the waiting runs wait for, and resume those for which something has changed."""
    wake_waiting_runs(RUNBOOKS, OTHERS)
