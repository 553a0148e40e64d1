"""Step: the administrators' identity group and its alias on the OIDC mount."""

from __future__ import annotations

from change.step import Outcome, write_once
from runbook.approval import ApprovedPlan
from runbook.objects import Alias, Group
from runbook.request import EnableRequest
from tasks.writing import carry_out


@write_once("write group and alias")
def write_group(request: EnableRequest, approved: ApprovedPlan) -> Outcome:
    """Write the group ``vault-admins-<env>``, then the alias, which needs the group's id."""
    return carry_out(request, approved, request.objects_of(Group), request.objects_of(Alias))
