"""Other runs for the same cluster: they share its branch and its pull request."""

from __future__ import annotations

from collections.abc import Iterator

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.utilities.urls import url_for
from pydantic import ValidationError

from runbook.errors import Conflict, EnablementError
from runbook.request import EnableRequest
from tasks import connect
from tasks.flow_runs import ENABLE

_UNDERWAY = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]


def refuse_to_fight(run: FlowRun, request: EnableRequest) -> None:
    """Let the older of two runs for one cluster have the branch; share it where both want the same.

    Two runs that want different changes would rewrite the one branch in turns, each waking the other.

    Raises:
        Conflict: an older run for this cluster proposes another change and has not ended.
    """
    for other, asked in _others(run, request):
        link = url_for("flow-run", obj_id=other.id) or str(other.id)
        different = asked.differences(request)
        if not different:
            get_run_logger().info(
                "The run %s (%s) wants the same change; both wait for one pull request.", other.id, link
            )
        elif (other.created, other.id) < (run.created, run.id):
            said = (
                f"{field}={getattr(asked, field)!r}, here {getattr(request, field)!r}" for field in different
            )
            raise Conflict(
                "Prefect",
                f"run {other.id}",
                f"is under way for {request.target} with other parameters: {'; '.join(said)}",
                f"Wait until it is done, or cancel it ({link}); then retry this run.",
            )


def _others(run: FlowRun, request: EnableRequest) -> Iterator[tuple[FlowRun, EnableRequest]]:
    ours = _repository(request)
    underway = {"state": {"type": {"any_": _UNDERWAY}}, "name": {"any_": [f"enable {request.target}"]}}
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[ENABLE])),
            flow_run_filter=FlowRunFilter.model_validate(underway),
        )
    # The oldest first: of several it is the one to wait for.
    for other in sorted(found, key=lambda other: (other.created, other.id)):
        if other.id == run.id:
            continue
        try:
            asked = EnableRequest.model_validate(other.parameters)
        except (EnablementError, ValidationError):
            # Of another version; what it wants is not known, and it will say the same of us.
            continue
        if _repository(asked) == ours:
            yield other, asked


def _repository(request: EnableRequest) -> tuple[str, str] | None:
    """What its branch is a branch of, whichever Block leads there; None where there is no such Block."""
    try:
        connection = connect.gitops_repository(request)
    except EnablementError:
        return None
    return connection.repository.lower(), connection.base_branch
