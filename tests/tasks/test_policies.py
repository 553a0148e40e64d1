"""The policies, on a real Vault."""

from __future__ import annotations

import json

import pytest

from runbook.changes import pending
from runbook.errors import Conflict
from runbook.policies import read_policy, rules_of, write_policy
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


def rule(path: str, *capabilities: str) -> str:
    return f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}\n'


ALL = ("create", "read", "update", "patch", "delete", "list", "sudo")
WIDE = rule("k8s_secrets/*", *ALL)


def granted_below(admin: Vault, path: str) -> frozenset[str]:
    """What the policy emea-kv-rw grants there, by Vault's own account."""
    answer = admin.http.send("post", "auth/token/create", {"policies": ["emea-kv-rw"], "ttl": "1m"})
    token = answer.body["auth"]["client_token"]
    seen = admin.http.send("post", "sys/capabilities", {"token": token, "paths": [path]})
    return frozenset(seen.data[path])


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(WIDE, id="one wide rule"),
        pytest.param(rule("*", *ALL), id="everything"),
        pytest.param(rule("k8s*", "read") + WIDE, id="a wider one that grants less"),
        pytest.param(WIDE + rule("k8s_secrets/data/moc/*", "list"), id="less elsewhere that lists"),
        pytest.param(WIDE + rule("+/data/emea/x", "deny"), id="a less specific one that denies"),
        pytest.param(
            rule("k8s_secrets/*", "list") + rule("k8s_secrets/data/*", *ALL) + rule("k8s_secrets/m*", *ALL),
            id="one for each part",
        ),
        pytest.param(
            write_policy("emea").text + rule("k8s_secrets/+/emea/x", "list"), id="less by a less specific one"
        ),
    ],
)
def test_rules_that_cover_those_of_the_runbook_are_more_than_ours_and_vault_says_so_too(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-rw", {"policy": theirs})
    change = policy_changes(pipeline, request_for_ember)[1]
    assert (change.found, change.action) == ("same or more", "none")
    for path, ours in write_policy("emea").rules.items():
        for below in ("", "x", "x/y", "x/"):
            assert granted_below(admin, path[:-1] + below) >= set(ours)


@pytest.mark.parametrize(
    ("theirs", "difference", "path"),
    [
        pytest.param(
            rule("k8s_secrets/*", *ALL[:-1]),
            "k8s_secrets/data/emea/* lacks sudo",
            "data/emea/x",
            id="a wide rule that lacks one",
        ),
        pytest.param(
            WIDE + rule("k8s_secrets/data/*", "read"),
            "k8s_secrets/data/emea/* lacks create",
            "data/emea/x",
            id="a longer one that covers ours grants less",
        ),
        pytest.param(
            WIDE + rule("k8s_secrets/data/emea/x", "read"),
            "k8s_secrets/data/emea/x lacks create",
            "data/emea/x",
            id="less on one path below",
        ),
        pytest.param(
            WIDE + rule("k8s_secrets/+/emea/x", "deny"),
            "k8s_secrets/+/emea/x lacks create",
            "data/emea/x",
            id="denied by any segment",
        ),
        pytest.param(
            WIDE + rule("k8s_secrets/data/+/x", "read"),
            "k8s_secrets/data/+/x lacks create",
            "data/emea/x",
            id="less in any environment",
        ),
        pytest.param(
            write_policy("emea").text + rule("k8s_secrets/{{identity.entity.name}}/emea/x", "deny"),
            "k8s_secrets/{{identity.entity.name}}/emea/x lacks create",
            "",
            id="a template that may be ours",
        ),
        pytest.param(
            rule("k8s_secrets/+/emea/*", *ALL), "k8s_secrets/* lacks list", "x", id="not all is covered"
        ),
        pytest.param(
            write_policy("emea").text + rule("k8s_secrets/data/emea", "deny"),
            "k8s_secrets/data/emea lacks create",
            "",
            id="the folder itself is denied, as it is listed",
        ),
    ],
)
def test_rules_that_may_take_away_what_a_wider_one_grants_are_foreign(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest, theirs: str, difference: str, path: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-rw", {"policy": theirs})
    with pytest.raises(Conflict, match="is foreign") as refused:
        policy_changes(pipeline, request_for_ember)
    assert difference in str(refused.value)
    if path:
        wanted = write_policy("emea").rules
        ours = max((one for one in wanted if f"k8s_secrets/{path}".startswith(one[:-1])), key=len)
        assert not granted_below(admin, f"k8s_secrets/{path}") >= set(wanted[ours])


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
