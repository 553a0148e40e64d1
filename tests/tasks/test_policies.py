"""The policies, on a real Vault."""

from __future__ import annotations

import json

import pytest

from runbook.changes import pending
from runbook.errors import Conflict
from runbook.objects.policy import administrators_policy, environment_policy
from runbook.policy_rules import rules_of
from systems.vault import Vault
from tests.rights import EMBER
from tests.steps import policy_changes, realize_policies
from tests.tables import table
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


def test_a_first_run_writes_exactly_the_rules_of_the_runbook(pipeline: Vault) -> None:
    realize_policies(pipeline, request())
    written = {name: rules_of(pipeline.policy(name) or "") for name in RUNBOOK_RULES}
    assert written == RUNBOOK_RULES


def test_scope_cluster_adds_a_policy_of_the_clusters_own_path_and_leaves_the_others(pipeline: Vault) -> None:
    realize_policies(pipeline, request())
    before = pipeline.policy("emea-kv-r")
    changed = pending(realize_policies(pipeline, request(policy_scope="cluster")))
    assert [change.object for change in changed] == ["policy/emea-ember-kv-r"]
    assert rules_of(pipeline.policy("emea-ember-kv-r") or "") == {
        "k8s_secrets/data/emea/ember/*": frozenset({"read", "list"})
    }
    assert pipeline.policy("emea-kv-r") == before


OURS = "k8s_secrets/data/emea/*"
HALVES = [{OURS: {"capabilities": [one]}} for one in ("read", "list")]
AS_JSON = {OURS: {"capabilities": ["list", "read"]}}


def rule(path: str, *capabilities: str) -> str:
    return f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}\n'


@table(
    "theirs",
    {
        "a path below ours is denied": rule(OURS, "read", "list")
        + rule("k8s_secrets/data/emea/hidden/*", "deny"),
        "a path below ours is denied, in JSON": json.dumps(
            {"path": [AS_JSON, {"/k8s_secrets/data/emea/hidden/*": {"capabilities": ["deny"]}}]},
        ),
        "a key of JSON twice, of which Vault counts both": '{"path": '
        '{"k8s_secrets/data/emea/*": {"capabilities": ["deny"]}, '
        '"k8s_secrets/data/emea/*": {"capabilities": ["read", "list"]}}}',
    },
)
def test_a_policy_that_somebody_wrote_otherwise_is_not_overwritten(
    admin: Vault, pipeline: Vault, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-r", {"policy": theirs})
    with pytest.raises(Conflict, match="emea-kv-r"):
        realize_policies(pipeline, request())
    assert pipeline.policy("emea-kv-r") == theirs


ALL = ("create", "read", "update", "patch", "delete", "list", "sudo")
WIDE = rule("k8s_secrets/*", *ALL)


def granted_below(admin: Vault, path: str) -> frozenset[str]:
    """What the policy emea-kv-rw grants there, by Vault's own account."""
    answer = admin.http.send("post", "auth/token/create", {"policies": ["emea-kv-rw"], "ttl": "1m"})
    token = answer.body["auth"]["client_token"]
    seen = admin.http.send("post", "sys/capabilities", {"token": token, "paths": [path]})
    return frozenset(seen.data[path])


@table(
    "theirs",
    {
        "one wide rule": WIDE,
        "everything": rule("*", *ALL),
        "a wider one that grants less": rule("k8s*", "read") + WIDE,
        "less elsewhere that lists": WIDE + rule("k8s_secrets/data/moc/*", "list"),
        "a less specific one that denies": WIDE + rule("+/data/emea/x", "deny"),
        "one for each part": rule("k8s_secrets/*", "list")
        + rule("k8s_secrets/data/*", *ALL)
        + rule("k8s_secrets/m*", *ALL),
        "less by a less specific one": administrators_policy(EMBER).text
        + rule("k8s_secrets/+/emea/x", "list"),
    },
)
def test_rules_that_cover_those_of_the_runbook_are_more_than_ours_and_vault_says_so_too(
    admin: Vault, pipeline: Vault, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-rw", {"policy": theirs})
    change = policy_changes(pipeline, request())[1]
    assert (change.found, change.action) == ("same or more", "none")
    for path, ours in administrators_policy(EMBER).paths.items():
        for below in ("", "x", "x/y", "x/"):
            assert granted_below(admin, path[:-1] + below) >= set(ours)


@table(
    "theirs, difference, path",
    {
        "a wide rule that lacks one": (
            rule("k8s_secrets/*", *ALL[:-1]),
            "k8s_secrets/data/emea/* lacks sudo",
            "data/emea/x",
        ),
        "a longer one that covers ours grants less": (
            WIDE + rule("k8s_secrets/data/*", "read"),
            "k8s_secrets/data/emea/* lacks create",
            "data/emea/x",
        ),
        "less on one path below": (
            WIDE + rule("k8s_secrets/data/emea/x", "read"),
            "k8s_secrets/data/emea/x lacks create",
            "data/emea/x",
        ),
        "denied by any segment": (
            WIDE + rule("k8s_secrets/+/emea/x", "deny"),
            "k8s_secrets/+/emea/x lacks create",
            "data/emea/x",
        ),
        "less in any environment": (
            WIDE + rule("k8s_secrets/data/+/x", "read"),
            "k8s_secrets/data/+/x lacks create",
            "data/emea/x",
        ),
        "a template that may be ours": (
            administrators_policy(EMBER).text + rule("k8s_secrets/{{identity.entity.name}}/emea/x", "deny"),
            "k8s_secrets/{{identity.entity.name}}/emea/x lacks create",
            "",
        ),
        "not all is covered": (rule("k8s_secrets/+/emea/*", *ALL), "k8s_secrets/* lacks list", "x"),
        "the folder itself is denied, as it is listed": (
            administrators_policy(EMBER).text + rule("k8s_secrets/data/emea", "deny"),
            "k8s_secrets/data/emea lacks create",
            "",
        ),
    },
)
def test_rules_that_may_take_away_what_a_wider_one_grants_are_foreign(
    admin: Vault, pipeline: Vault, theirs: str, difference: str, path: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-rw", {"policy": theirs})
    with pytest.raises(Conflict, match="is foreign") as refused:
        policy_changes(pipeline, request())
    assert difference in str(refused.value)
    if path:
        wanted = administrators_policy(EMBER).paths
        ours = max((one for one in wanted if f"k8s_secrets/{path}".startswith(one[:-1])), key=len)
        assert not granted_below(admin, f"k8s_secrets/{path}") >= set(wanted[ours])


@table(
    "theirs",
    {
        "other layout": '# ours\npath "k8s_secrets/data/emea/*" { capabilities = ["list",\n "read"] }',
        "JSON": json.dumps({"path": AS_JSON}),
        "JSON with a list of rules": json.dumps({"path": [AS_JSON]}, indent=1),
        "JSON in two halves": json.dumps({"path": HALVES}),
        "a leading slash": rule("/k8s_secrets/data/emea/*", "list", "read"),
        "the old way to say it": 'path "k8s_secrets/data/emea/*" { policy = "read" }',
        "a name, a comment, a quoted key": '/* ours */ name = "emea-kv-r"\n'
        'path "k8s_secrets/data/emea/*" { "capabilities" = ["read", "list",]\n comment = "x" }',
        "a quoted word": '"path" "k8s_secrets/data/emea/*" { capabilities = ["list", "read"] }',
        "one rule more": environment_policy(EMBER).text + 'path "sys/health" { capabilities = ["read"] }\n',
    },
)
def test_a_policy_that_grants_what_the_runbook_wants_is_kept_as_it_is(
    admin: Vault, pipeline: Vault, theirs: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-r", {"policy": theirs})
    realize_policies(pipeline, request())
    assert pipeline.policy("emea-kv-r") == theirs


@pytest.mark.parametrize("text", ["name = <<A\n" + "\n" * 50_000 + "x\nAA\n", 'name = "x"\n' * 100_000])
def test_what_would_take_minutes_to_read_is_not_understood(text: str) -> None:
    assert rules_of(text) is None
