"""The net under the gate: every few minutes, wake runs whose world has changed, start crashed ones."""

from __future__ import annotations

from prefect import flow

from change.gate.watch import wake_waiting_runs
from tasks.runbooks import OTHERS, RUNBOOKS


@flow(name="watch-merges")
async def watch_merges() -> None:
    """Check what the waiting runs wait for, and resume those for which it has changed; start crashed ones."""
    wake_waiting_runs(RUNBOOKS, OTHERS)
