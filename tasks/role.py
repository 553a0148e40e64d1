"""Step: the role on the cluster's auth mount."""

from __future__ import annotations

from change.step import Outcome, step
from runbook.approval import ApprovedPlan
from runbook.objects import Role
from runbook.request import ClusterRequest
from tasks.writing import carry_out


@step("write role")
def write_role(request: ClusterRequest, approved: ApprovedPlan) -> Outcome:
    """Bind the starter ServiceAccount in its namespaces to the policy of the run."""
    return carry_out(request, approved, request.objects_of(Role))
