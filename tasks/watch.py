"""Step of the watcher: wake the runs whose change has landed.

Waking is only a hint: each run looks at the base branch itself before it goes on. So a resume that was not
needed does no harm, and one that is lost is made up for by the next round.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import FlowPauseTimeout, PrefectHTTPStatusError
from pydantic import ValidationError

from runbook.errors import EnablementError
from runbook.gitops import wanted_edits
from runbook.request import EnableRequest
from tasks import connect
from tasks.repository import clone, store_settings
from tasks.step import look

PAGE = 200
"""Runs a request; the server gives no more at once."""


def waiting_runs(client: SyncPrefectClient) -> list[FlowRun]:
    """All runs of `enable-cluster` that are suspended."""
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["enable-cluster"])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.PAUSED]}}}),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return found


@look("wake the runs whose change has landed")
def wake_landed_runs() -> dict[str, Any]:
    """Look at each repository once and resume the runs whose change is on its base branch.

    Returns:
        ``waiting``: how many runs wait; ``woken``: names of those that were resumed.

    Raises:
        EnablementError: a repository or a connection could not be read; the runs of the others were woken.
    """
    logger = get_run_logger()
    with get_client(sync_client=True) as client:
        runs = waiting_runs(client)
        by_repository: dict[str, list[tuple[FlowRun, EnableRequest]]] = defaultdict(list)
        for run in runs:
            try:
                request = EnableRequest.model_validate(run.parameters)
            except (EnablementError, ValidationError) as error:
                logger.warning(
                    "%s waits with parameters that this version does not know: %s", run.name, error
                )
                continue
            by_repository[request.gitops].append((run, request))
        woken: list[str] = []
        unread: list[EnablementError] = []
        for waiting in by_repository.values():
            try:
                landed = _landed([request for _, request in waiting])
            except EnablementError as error:
                # The runs of other repositories are not to wait for this one.
                unread.append(error)
                continue
            woken += [run.name for run, request in waiting if request in landed and _resume(client, run)]
    logger.info("%d runs wait for their merge; woken: %s", len(runs), ", ".join(woken) or "none")
    if unread:
        raise unread[0]
    return {"waiting": len(runs), "woken": woken}


def _landed(requests: list[EnableRequest]) -> list[EnableRequest]:
    """Those of one repository whose change is on the base branch; the repository is read once."""
    repository = connect.gitops_repository(requests[0])
    with clone(repository) as base:
        return [
            request
            for request in requests
            if not wanted_edits(
                base.tree,
                request,
                repository.layout,
                store_settings(connect.vault_connection(request), ()),
            )
        ]


def _resume(client: SyncPrefectClient, run: FlowRun) -> bool:
    try:
        client.resume_flow_run(run.id)
    except (PrefectHTTPStatusError, FlowPauseTimeout) as error:
        # Somebody else woke it a moment ago, or it has not suspended yet: the next round sees it again.
        get_run_logger().info("%s was not woken: %s", run.name, error)
        return False
    return True
