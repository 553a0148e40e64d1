"""In which modes a cluster was enabled last. The parameters of a diagnosis may say otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from pydantic import ValidationError

from change.records import record_artifacts
from runbook.errors import EnablementError
from runbook.request import EnableRequest
from tasks.runbooks import ENABLE_CLUSTER, read

_RECENT = 50
"""Completed runs and records to look through: some only planned, or were for another Vault."""


def as_enabled(request: EnableRequest) -> tuple[EnableRequest, str]:
    """The request in the modes of the last run, and how they are known; as given where no run is found.

    That is the latest of those that completed or have written to the cluster's mount, however they ended.
    """
    runs = sorted(_runs(request), key=_started, reverse=True)
    for run in runs:
        try:
            then = read(EnableRequest, run.parameters)
        except (EnablementError, ValidationError):
            continue  # of another version
        if then.plan_only or (then.vault, then.target) != (request.vault, request.target):
            continue
        modes: dict[str, str] = {"policy_scope": then.policy_scope, "reviewer_token": then.reviewer_token}
        if _has_usual_account(request):
            modes["service_account"] = then.service_account
        found = request.model_copy(update=modes)
        differ = "" if found == request else f"; the parameters say {_modes(request)}"
        return found, f"{_modes(found)}, by run {run.id}{differ}"
    return request, f"no run is on record; the parameters say {_modes(request)}"


def _runs(request: EnableRequest) -> Iterator[FlowRun]:
    completed = {"state": {"type": {"any_": ["COMPLETED"]}}, "name": {"any_": [f"enable {request.target}"]}}
    with get_client(sync_client=True) as client:
        for which in (completed, {"id": {"any_": _writers(request)}}):
            yield from client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[ENABLE_CLUSTER.flow])),
                flow_run_filter=FlowRunFilter.model_validate(which),
                sort=FlowRunSort.START_TIME_DESC,
                limit=_RECENT,
            )


def _writers(request: EnableRequest) -> list[UUID]:
    """Runs of which a record says that they wrote to the cluster's mount."""
    return [
        one.flow_run_id
        for one in islice(record_artifacts(request.target), _RECENT)
        if one.flow_run_id and f'"auth/{request.target.mount}/' in json.dumps(one.data).replace("\\", "")
    ]


def _started(run: FlowRun) -> datetime:
    return run.start_time or datetime.min.replace(tzinfo=UTC)


def _has_usual_account(request: EnableRequest) -> bool:
    return request.service_account == request.conventions.store.service_account


def _modes(request: EnableRequest) -> str:
    account = "" if _has_usual_account(request) else f", service_account={request.service_account}"
    return f"policy_scope={request.policy_scope}, reviewer_token={request.reviewer_token}{account}"
