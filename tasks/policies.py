"""Step: the ACL policies of the environment."""

from __future__ import annotations

from typing import Any

from runbook.changes import Change
from runbook.policies import compare, wanted_policies
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks import connect
from tasks.mandate import UNBOUND, Mandate, mandate
from tasks.step import log_changes, outcome, realize, write_once


def policy_changes(vault: Vault, request: EnableRequest) -> list[Change]:
    """What differs between the policies that the run needs and those in Vault.

    Raises:
        Conflict: a policy is there, lacks our rules, and is not adopted.
    """
    return [
        compare(policy, vault.policy(policy.name), adopted=f"policy/{policy.name}" in request.adopt)
        for policy in wanted_policies(request)
    ]


def realize_policies(vault: Vault, request: EnableRequest, given: Mandate = UNBOUND) -> list[Change]:
    """Write the policies that are missing, and read them back."""
    return realize(vault, lambda: policy_changes(vault, request), given)


@write_once("write policies")
def write_policies(request: EnableRequest, approved: dict[str, Any] | None) -> dict[str, Any]:
    """Write ``<env>-kv-r`` and ``<env>-kv-rw``, and the cluster's own policy where it is asked for."""
    with connect.vault(request) as vault, mandate(request, approved, vault) as given:
        changes = realize_policies(vault, request, given)
    log_changes(changes)
    return outcome(changes)
