"""Step: the Kubernetes auth mount of the cluster."""

from __future__ import annotations

from change.step import Outcome, step
from runbook.approval import ApprovedPlan
from runbook.objects import Mount
from runbook.request import EnableRequest
from tasks.writing import carry_out


@step("enable auth method")
def enable_auth_method(request: EnableRequest, approved: ApprovedPlan) -> Outcome:
    """Enable the cluster's Kubernetes auth method."""
    return carry_out(request, approved, request.objects_of(Mount))
