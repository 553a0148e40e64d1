"""The policies, on a real Vault."""

from __future__ import annotations

import pytest

from runbook.changes import pending
from runbook.errors import Conflict
from runbook.policies import read_policy, rules_of
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks.policies import policy_changes, realize_policies
from tests.tasks.conftest import request

RUNBOOK_RULES = {
    "emea-kv-r": {"k8s_secrets/data/emea/*": frozenset({"read", "list"})},
    "emea-kv-rw": {
        "k8s_secrets/data/emea/*": frozenset({"create", "read", "update", "delete", "list", "sudo"}),
        "k8s_secrets/*": frozenset({"list"}),
        "k8s_secrets/metadata/emea/*": frozenset(
            {"create", "read", "update", "patch", "delete", "list", "sudo"}
        ),
    },
}


def test_a_first_run_writes_exactly_the_rules_of_the_runbook(
    pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_policies(pipeline, request_for_ember)
    written = {name: rules_of(pipeline.policy(name) or "") for name in RUNBOOK_RULES}
    assert written == RUNBOOK_RULES


def test_a_second_run_finds_nothing_to_write(pipeline: Vault, request_for_ember: EnableRequest) -> None:
    realize_policies(pipeline, request_for_ember)
    assert pending(policy_changes(pipeline, request_for_ember)) == ()


def test_scope_cluster_adds_a_policy_of_the_clusters_own_path_and_leaves_the_others(
    pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_policies(pipeline, request_for_ember)
    before = pipeline.policy("emea-kv-r")
    changed = pending(realize_policies(pipeline, request(policy_scope="cluster")))
    assert [change.object for change in changed] == ["policy/emea-ember-kv-r"]
    assert rules_of(pipeline.policy("emea-ember-kv-r") or "") == {
        "k8s_secrets/data/emea/ember/*": frozenset({"read", "list"})
    }
    assert pipeline.policy("emea-kv-r") == before


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param('path "k8s_secrets/data/emea/*" { capabilities = ["read"] }', id="a rule of ours lacks"),
        pytest.param(
            'path "k8s_secrets/data/emea/*" { capabilities = ["read", "list"] }\n'
            'path "k8s_secrets/data/emea/hidden/*" { capabilities = ["deny"] }',
            id="a path below ours is denied",
        ),
        pytest.param(
            'path "k8s_secrets/data/emea/*" {\n'
            '  capabilities = ["read", "list"]\n  allowed_parameters = { "version" = [] }\n}',
            id="it uses more than capabilities",
        ),
    ],
)
def test_a_policy_that_somebody_wrote_otherwise_is_not_overwritten(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-r", {"policy": theirs})
    with pytest.raises(Conflict, match="emea-kv-r"):
        realize_policies(pipeline, request_for_ember)
    assert pipeline.policy("emea-kv-r") == theirs


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(
            '# ours\npath "k8s_secrets/data/emea/*" { capabilities = ["list",\n "read"] }', id="other layout"
        ),
        pytest.param(
            read_policy("emea").text + 'path "sys/health" { capabilities = ["read"] }\n', id="one rule more"
        ),
    ],
)
def test_a_policy_that_grants_what_the_runbook_wants_is_kept_as_it_is(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-r", {"policy": theirs})
    realize_policies(pipeline, request_for_ember)
    assert pipeline.policy("emea-kv-r") == theirs
