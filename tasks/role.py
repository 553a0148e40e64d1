"""Step: the role on the cluster's auth mount."""

from __future__ import annotations

from typing import Any

from runbook.auth_method import compare_role
from runbook.changes import Change
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks import connect
from tasks.mandate import UNBOUND, Mandate, mandate
from tasks.step import log_changes, outcome, realize, write_once


def role_changes(vault: Vault, request: EnableRequest) -> list[Change]:
    """What differs for the role.

    Raises:
        Conflict: the role hands out a policy that is not ours.
    """
    target = request.target
    return [compare_role(request, vault.role(target.mount, target.role))]


def realize_role(vault: Vault, request: EnableRequest, given: Mandate = UNBOUND) -> list[Change]:
    """Write the role if a name, a namespace or a setting is missing, and read it back."""
    return realize(vault, lambda: role_changes(vault, request), given)


@write_once("write role")
def write_role(request: EnableRequest, approved: dict[str, Any] | None) -> dict[str, Any]:
    """Bind the starter ServiceAccount in its namespaces to the policy of the run."""
    with connect.vault(request) as vault, mandate(request, approved, vault) as given:
        changes = realize_role(vault, request, given)
    log_changes(changes)
    return outcome(changes)
