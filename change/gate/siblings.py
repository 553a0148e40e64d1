"""Other runs for the same subject: they share its branch and its pull request."""

from __future__ import annotations

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.utilities.urls import url_for
from pydantic import ValidationError

from change import connect
from change.asked import Asked
from change.flow_runs import runs_in
from change.runbook import Runbook
from runbook.errors import Conflict, EnablementError

_UNDERWAY = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]


def refuse_to_fight(run: FlowRun, runbook: Runbook, asked: Asked) -> None:
    """Let the older of two runs for one subject have the branch; share it where both want the same.

    Two runs that want different changes would rewrite the one branch in turns, each waking the other.

    Raises:
        Conflict: an older run for it proposes another change and has not ended.
    """
    name, ours = runbook.title.format(asked.subject), _repository(asked)
    with get_client(sync_client=True) as client:
        found = runs_in(client, _UNDERWAY, runbook.flow, name=name)
    # The oldest first: of several it is the one to wait for.
    for other in sorted(found, key=lambda other: (other.created, other.id)):
        its = _parameters(runbook, other)
        if other.id == run.id or its is None or _repository(its) != ours:
            continue
        link = url_for("flow-run", obj_id=other.id) or str(other.id)
        different = its.differences(asked)
        if not different:
            get_run_logger().info(
                "The run %s (%s) wants the same change; both wait for one pull request.", other.id, link
            )
        elif (other.created, other.id) < (run.created, run.id):
            said = (f"{field}={getattr(its, field)!r}, here {getattr(asked, field)!r}" for field in different)
            raise Conflict(
                "Prefect",
                f"run {other.id}",
                f"is in progress for {asked.subject} with other parameters: {'; '.join(said)}",
                f"Wait until it ends, or cancel it ({link}); then retry this run.",
            )


def _parameters(runbook: Runbook, run: FlowRun) -> Asked | None:
    try:
        return runbook.read(run.parameters)
    except (EnablementError, ValidationError):
        return None  # of another version; what it wants is not known, and it will say the same of us


def _repository(asked: Asked) -> tuple[str, str] | None:
    """What its branch is a branch of, whichever Block leads there; None where there is no such Block."""
    try:
        connection = connect.gitops_repository(asked)
    except EnablementError:
        return None
    return connection.repository.lower(), connection.base_branch
