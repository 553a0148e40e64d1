"""Step: the ACL policies of the environment."""

from __future__ import annotations

from change.step import Outcome, step
from runbook.approval import ApprovedPlan
from runbook.request import EnableRequest
from tasks.writing import carry_out


@step("write policies")
def write_policies(request: EnableRequest, approved: ApprovedPlan) -> Outcome:
    """Write the policies of the environment, and the cluster's own where it is asked for."""
    return carry_out(request, approved, request.policies)
