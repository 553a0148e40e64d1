"""The record of a waiting run, kept as a label of the flow run: a request of Prefect reads those of many."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from runbook.gate import LABEL, GateRecord

KEY = "merge-gate-"
"""Begins the key of each suspension at the gate; a number follows."""


def suspensions(run: FlowRun) -> int:
    """How often a run was suspended at the gate. (Prefect counts a resume as no new run.)"""
    return sum(key.startswith(KEY) for key in run.empirical_policy.pause_keys or ())


def this_run() -> FlowRun:
    """The run that is executed here, as the server has it now."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(str(flow_run.id)))


def keep(run: FlowRun, record: GateRecord) -> None:
    """Put the record where whoever watches finds it."""
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(run.id, {LABEL: record.model_dump_json()})
