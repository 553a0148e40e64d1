"""The records of a waiting run, kept as labels of the flow run: a request of Prefect reads those of many."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from change.gate.suspension import used_keys
from change.gate.waits import MERGE, key_of
from runbook.gate import GateRecord, WaitRecord

KEY = key_of(MERGE)
"""Begins the key of each suspension at the gate; a number follows."""

_TRIES = 30
"""About 2 s apart: that long Prefect's client waits after a 503, also where it does not ask again."""


def suspensions(run: FlowRun, prefix: str = KEY) -> int:
    """How often a run was suspended with such a key. (Prefect counts a resume as no new run.)"""
    return len(used_keys(run, prefix))


def this_run() -> FlowRun:
    """The run that is executed here, as the server has it now."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(str(flow_run.id)))


def keep(run: FlowRun, record: WaitRecord) -> None:
    """Put a record where whoever watches finds it, and the pull request's number where people do.

    A list of runs shows no message of a state, but tags, and is filtered by them.

    Prefect's server reads the labels and then writes them in one transaction. SQLite ends that at once, and
    the server answers 503, if anything else was written in between, as there nearly always is while many runs
    are under way. What helps is to ask again soon; Prefect's client by itself waits twice as long each time.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: refused for another reason, or busy for a minute.
        httpx.TransportError: the server cannot be reached.
    """
    number = record.number if isinstance(record, GateRecord) else None
    tags = [*dict.fromkeys([*run.tags, *([f"#{number}"] if number else [])])]
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        for left in reversed(range(_TRIES)):
            try:
                if tags != run.tags:
                    client.update_flow_run(run.id, tags=tags)
                client.update_flow_run_labels(run.id, {record.label: record.model_dump_json()})
                break
            except PrefectHTTPStatusError as error:
                if error.response.status_code != 503 or not left:
                    raise
