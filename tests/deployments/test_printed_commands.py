"""The commands in remedies are complete: pasted, they print what the run that failed needs."""

from __future__ import annotations

import shlex

import pytest
import yaml

from runbook.cluster_rights import cluster_rights
from runbook.commands import account_command, granting, policy_command
from runbook.errors import AccessDenied
from runbook.request import EnableRequest
from systems.vault_http import Answer
from tests.printed_commands import missing, printed_account, printed_policy
from tests.tasks.conftest import request

MODES = [
    request(),
    request(policy_scope="cluster"),
    request(reviewer_token="token-request", service_account="fetcher"),
]
PLAN = request(plan_only=True)


@pytest.mark.parametrize("wanted", MODES, ids=str)
def test_the_policys_command_has_the_modes_of_the_run(wanted: EnableRequest) -> None:
    policy = printed_policy(f"`{policy_command(wanted, 'other-mounts')}`")
    assert 'path "auth/+/config"' in policy
    assert missing(policy, wanted) == []


def test_of_a_plan_the_policys_command_prints_what_plans_need() -> None:
    policy = printed_policy(f"`{policy_command(PLAN)}`")
    assert '"create"' not in policy
    assert 'path "sys/policies/acl/emea-kv-r"' in policy


@pytest.mark.parametrize("namespace", [None, "team", "parent/team"])
def test_the_policys_command_asks_vault_where_the_policy_is_to_be_written(namespace: str | None) -> None:
    command = policy_command(request(), namespace=namespace)
    (asked,) = (word[2:-1] for word in shlex.split(command) if word.startswith("$("))
    there = [f"-namespace={namespace}"] if namespace else []
    assert shlex.split(asked) == ["vault", "read", *there, "-field=accessor", "sys/auth/oidc"]
    assert (f"export VAULT_NAMESPACE={namespace}" in printed_policy(f"`{command}`")) == bool(namespace)


@pytest.mark.parametrize("wanted", MODES, ids=str)
def test_a_right_that_vault_refuses_anywhere_comes_with_the_command(wanted: EnableRequest) -> None:
    grant = granting(wanted, "team")
    refused = Answer(403, {}, ("permission denied",), "sys/auth/ember-k8s", "write", grant).refusal()
    assert isinstance(refused, AccessDenied)
    policy = printed_policy(refused.remedy)
    assert missing(policy, wanted) == []
    assert "export VAULT_NAMESPACE=team" in policy


@pytest.mark.parametrize("wanted", MODES, ids=str)
def test_the_accounts_command_has_the_modes_of_the_run(wanted: EnableRequest) -> None:
    rules = [
        (resource, name)
        for manifest in yaml.safe_load_all(printed_account(f"`{account_command(wanted)}`"))
        for rule in manifest.get("rules", ())
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ("",))
    ]
    for right in cluster_rights(wanted):
        assert (right.kind, right.name) in rules
