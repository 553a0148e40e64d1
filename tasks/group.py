"""Step: the administrators' identity group and its alias on the auth mount for people."""

from __future__ import annotations

from prefect import get_run_logger

from change.step import Outcome, outcome, say_instead, step
from runbook.approval import ApprovedPlan
from runbook.objects import Alias, Group
from runbook.request import EnableRequest
from tasks.writing import carry_out


@step("write group and alias")
def write_group(request: EnableRequest, approved: ApprovedPlan) -> Outcome:
    """Write the administrators' group, then the alias, which needs the group's id."""
    if not request.target.admin_group:
        say_instead("no group to write")
        get_run_logger().info("The conventions have no administrators: people's rights are left alone.")
        return outcome([])
    return carry_out(request, approved, request.objects_of(Group), request.objects_of(Alias))
