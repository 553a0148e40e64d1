"""Runs of this project's flows by state; a server has more of them than it gives at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

_PAGE = 200
"""Runs a request; the server gives no more at once."""


def runs_in(
    client: SyncPrefectClient,
    states: Iterable[StateType],
    *flows: str,
    name: str | None = None,
    ended_after: datetime | None = None,
) -> list[FlowRun]:
    """All runs of these flows that are in one of these states.

    Args:
        client, states, flows: whose runs.
        name: only those with this name.
        ended_after: only those that ended after this time.
    """
    wanted: dict[str, Any] = {"state": {"type": {"any_": list(states)}}}
    if name:
        wanted["name"] = {"any_": [name]}
    if ended_after:
        wanted["end_time"] = {"after_": ended_after}
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


def runs_by_state(client: SyncPrefectClient, ended_within: timedelta, *flows: str) -> Counter[str]:
    """How many runs of these flows are in each state, by its name, in one request.

    Args:
        client: of the server that is asked.
        ended_within: of those that have ended, only the ones that have so lately.
        flows: their names.
    """
    now = datetime.now(UTC)
    first, after = now - timedelta(days=36500), now + timedelta(days=36500)
    one_of = {"operator": "or_", "end_time": {"after_": str(now - ended_within)}}
    answer = client.request(
        "POST",
        "/flow_runs/history",
        json={
            "history_start": first.isoformat(),
            "history_end": after.isoformat(),
            "history_interval_seconds": (after - first).total_seconds(),
            "flows": {"name": {"any_": list(flows)}},
            "flow_runs": one_of | {"state": {"type": {"not_any_": [one.value for one in TERMINAL_STATES]}}},
        },
    )
    counted: Counter[str] = Counter()
    for part in answer.json():
        for state in part["states"]:
            counted[state["state_name"]] += state["count_runs"]
    return counted
