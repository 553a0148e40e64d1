"""Runs of this project's flows by state; a server has more of them than it gives at once."""

from __future__ import annotations

from collections.abc import Iterable

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

_PAGE = 200
"""Runs a request; the server gives no more at once."""


def runs_in(
    client: SyncPrefectClient, states: Iterable[StateType], *flows: str, name: str | None = None
) -> list[FlowRun]:
    """All runs of these flows that are in one of these states, and have this name if one is given."""
    wanted = {"state": {"type": {"any_": list(states)}}} | ({"name": {"any_": [name]}} if name else {})
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(flows))),
            flow_run_filter=FlowRunFilter.model_validate(wanted),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=_PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < _PAGE:
            return found
