"""What people read of preflight, of a plan and of records: what matters first, and nothing that hides."""

from __future__ import annotations

from typing import Any

from runbook.changes import Change, Difference
from runbook.checks import Check, counted, page
from runbook.plan import Plan, what_changes
from runbook.records import records_page
from tests.tables import rows_of

CHECKS = [
    Check("is reachable", "ok", "it answers", system="Vault"),
    Check("Rights", "not checked", "asked later", system="Vault"),
    Check("Nodes | routes", "warning", "a|b", "Look.\nkind: Secret", "OpenShift"),
    Check("Branch", "failed", "is not there", "Make it.", "Git"),
    Check("Build", "ok", "works", system="Git"),
]


def test_what_failed_comes_first_with_its_remedy_and_a_summary_above() -> None:
    text = page(CHECKS)
    assert text.startswith("**1 failed, 1 warning, 1 not checked, 2 ok**\n\n- ")
    assert counted(CHECKS[:1]) == "1 ok"
    assert rows_of(text) == [
        "❌ failed: **Git: Branch**: is not there. **To do:** Make it.",
        "⚠️ warning: **OpenShift: Nodes | routes**: a|b. **To do:** Look.",
        "not checked: **Vault: Rights**: asked later",
        "✅ ok: **Vault: is reachable**: it answers",
        "✅ ok: **Git: Build**: works",
    ]
    assert "Look.\n\n  ```yaml\n  kind: Secret\n  ```\n\n- not checked" in text, "a manifest is right there"


def test_the_form_shows_what_will_change_and_nothing_else() -> None:
    namespaces = Difference("bound_service_account_namespaces", ["payments"], ["payments", "web"])
    policy = Difference("policy", None, 'path "secret/*" {}')
    shown = what_changes(
        [
            Change("policy/stays", "same", "none", "sys/policy/stays"),
            Change("role emea-ops", "different", "update", "auth/x/role/y", {}, (namespaces,)),
            Change("policy/new", "absent", "create", "sys/policy/new", {}, (policy,)),
            Change("config", "same", "none", "auth/x/config", conditional=("token",)),
        ]
    )
    assert shown == (
        "- `role emea-ops` **is updated**: "
        "bound_service_account_namespaces: payments → payments, web\n"
        "- `policy/new` **is created**: rules below\n"
        "- `config` stays: token: replaced only if no login works with the one in Vault\n"
        "\n`policy/new`\n\n```hcl\n"
        'path "secret/*" {}\n```'
    )


def test_a_plan_names_an_object_once() -> None:
    maybe = Change("config", "same", "none", "auth/x/config", conditional=("token",))
    text = Plan(
        "emea/ember", (), (maybe, Change("policy/stays", "same", "none", "sys/policy/stays"))
    ).markdown()
    assert text.count("`config`") == 1
    assert "As wanted already: `policy/stays`." in text


def record(**changes: Any) -> dict[str, Any]:
    return {
        "at": "2026-01-02T03:04:05.678+00:00",
        "system": "Vault",
        "object": "policy/new",
        "action": "create",
        "path": "sys/policy/new",
        "fields": [
            {"field": "policy", "before": None, "after": "x" * 200},
            {"field": "ttl", "before": 1, "after": 2},
        ],
        "flow_run": "1",
        "pull_request": None,
        "actor": {"triggered_by": "not known", "acted_as": "token-pipeline"},
        **changes,
    }


def test_records_of_this_and_of_an_older_version_are_rows_that_fit_on_a_screen() -> None:
    approved = {"triggered_by": "a schedule", "acted_as": "token-pipeline", "approved_by": "dana"}
    text = records_page([record(), record(confirmed=False, actor=approved)])
    assert rows_of(text) == [
        "The run was started by not known",
        "The run was started by a schedule",
        "In Vault the run acted as `token-pipeline`",
        "In Vault the run acted as `token-pipeline`, approved by `dana`",
        "2026-01-02 03:04:05: Vault: `policy/new` created (policy; ttl: 1 → 2)",
        "2026-01-02 03:04:05: Vault: `policy/new` created, or not: no answer came (policy; ttl: 1 → 2)",
    ]
