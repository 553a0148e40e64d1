"""The keys with which a run was suspended."""

from __future__ import annotations

from uuid import uuid4

from prefect.client.schemas.objects import FlowRun, FlowRunPolicy

from change.gate.suspension import used_keys

FOREIGN = {"sync-gate-", "sync-gate-x", "sync-gate-²", "sync-gate--1", f"sync-gate-{'9' * 5000}x"}


def test_keys_come_in_their_order_and_those_that_somebody_else_chose_do_not_stop_a_look() -> None:
    keys = {"sync-gate-10", "sync-gate-9", "sync-gate-1-2", "merge-gate-1"}
    run = FlowRun(flow_id=uuid4(), empirical_policy=FlowRunPolicy(pause_keys=keys | FOREIGN))
    ours = [key for key in used_keys(run, "sync-gate-") if key not in FOREIGN]
    assert ours == ["sync-gate-1-2", "sync-gate-9", "sync-gate-10"]
    assert used_keys(run, "store-gate-") == []
    assert used_keys(None, "sync-gate-") == []
