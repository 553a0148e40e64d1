"""When what a step would do now is a part of the approved plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook.approval import ApprovedPlan
from runbook.auth_method import compare_config, compare_mount, compare_role
from runbook.changes import Change
from runbook.errors import PlanMoved
from runbook.groups import CurrentGroup, compare_alias, compare_group
from runbook.names import Cluster
from runbook.plan import Plan, changes_of, plan_sha256
from runbook.policies import compare, read_policy
from runbook.pull_request import plan_of, words
from runbook.request import EnableRequest

EMBER = Cluster("emea", "ember")
CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def request(**changes: Any) -> EnableRequest:
    values: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ("payments", "web")}
    return EnableRequest.model_validate({**values, **changes})


def approved(*changes: Change) -> ApprovedPlan:
    """A plan after it was stored and read again."""
    plan = Plan(EMBER, (), changes)
    stored = json.loads(json.dumps(plan.as_json()))
    assert plan_sha256(stored) == plan.sha256
    return ApprovedPlan(plan.sha256, stored["changes"])


def role(**there: Any) -> Change:
    return compare_role(request(), there or None)


def group(policies: tuple[str, ...], **metadata: str) -> Change:
    return compare_group(EMBER, CurrentGroup("1", EMBER.admin_group, "external", policies, metadata))


def config(*, login_works: bool = True, **there: Any) -> Change:
    return compare_config(EMBER, there or None, "https://a:6443", CA, login_works=login_works)


CONFIG: dict[str, Any] = {
    "kubernetes_host": "https://a:6443",
    "kubernetes_ca_cert": CA,
    "disable_local_ca_jwt": True,
}
OURS: dict[str, Any] = {
    "alias_name_source": "serviceaccount_uid",
    "bound_service_account_names": ["vault-secret-fetcher"],
    "bound_service_account_namespaces": ["payments", "web"],
    "token_policies": ["emea-kv-r"],
    "token_ttl": 3600,
}
NEW_GROUP = compare_group(EMBER, None)
ALIAS = compare_alias(EMBER, None, None, "oidc_1")
SOME_GROUP = CurrentGroup("9", "people", "external", (), {}, "a-9", EMBER.admin_group, "oidc_1")
ORPHAN = CurrentGroup("8", "group_f748078c", "external", (), {}, "a-8", EMBER.admin_group, "oidc_1")
OUR_GROUP = CurrentGroup("1", EMBER.admin_group, "external", ("emea-kv-rw",), {})


@pytest.mark.parametrize(
    ("planned", "now"),
    [
        pytest.param(compare_mount(EMBER, None), compare_mount(EMBER, None), id="the same"),
        pytest.param(compare_mount(EMBER, None), compare_mount(EMBER, "kubernetes"), id="done by hand"),
        pytest.param(role(), role(**OURS | {"token_ttl": 0}), id="made by hand with a field left out"),
        pytest.param(
            role(), role(**OURS | {"bound_service_account_namespaces": ["web"]}), id="made by hand in part"
        ),
        pytest.param(
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            role(**OURS | {"bound_service_account_namespaces": ["web", "argocd"]}),
            id="somebody added an entry of theirs to a shared list",
        ),
        pytest.param(NEW_GROUP, group(()), id="the group was made by hand without policy"),
        pytest.param(NEW_GROUP, group(("audit",), ticket="1"), id="and with policy and metadata of others"),
        pytest.param(ALIAS, compare_alias(EMBER, OUR_GROUP, None, "oidc_1"), id="the group has an id now"),
        pytest.param(config(**CONFIG), config(**CONFIG, login_works=False), id="the reviewer's token ended"),
        pytest.param(
            config(),
            config(**CONFIG | {"disable_local_ca_jwt": False}),
            id="config written by hand with a default",
        ),
        pytest.param(
            config(**CONFIG | {"kubernetes_host": "https://old"}),
            config(**CONFIG | {"kubernetes_host": "https://old", "issuer": "https://i"}),
            id="a field of others is carried over",
        ),
    ],
)
def test_less_to_do_than_was_approved_goes_on(planned: Change, now: Change) -> None:
    approved(planned).check([now])


@pytest.mark.parametrize(
    ("planned", "now", "words"),
    [
        pytest.param(
            role(),
            role(**OURS | {"token_ttl": 7200}),
            "token_ttl: 7200 → 3600; the plan has token_ttl: nothing → 3600",
            id="a value that somebody set would be overwritten",
        ),
        pytest.param(
            role(**OURS | {"token_ttl": 7200}),
            role(**OURS | {"token_ttl": 60}),
            "token_ttl: 60 → 3600; the plan has token_ttl: 7200 → 3600",
            id="another value than was shown would be overwritten",
        ),
        pytest.param(
            role(**OURS),
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            "bound_service_account_namespaces: web → web, payments; the plan leaves this field as it was",
            id="an entry was taken out that the plan found there",
        ),
        pytest.param(
            compare_role(request(), None),
            compare_role(request(namespaces=("payments", "web", "new")), None),
            "payments, web, new; the plan has bound_service_account_namespaces: nothing → payments, web",
            id="one entry more would be added",
        ),
        pytest.param(
            compare(read_policy("emea"), read_policy("emea").text),
            compare(read_policy("emea"), None),
            "policy/emea-kv-r, which is not there and was when the plan was made",
            id="a policy was deleted that the plan found there",
        ),
        pytest.param(
            config(kubernetes_host="https://old", issuer="https://i"),
            config(),
            "auth/ember-k8s/config, which is not there and was when the plan was made",
            id="a config is not seen in which others have a field",
        ),
        pytest.param(
            ALIAS,
            compare_alias(EMBER, OUR_GROUP, SOME_GROUP, "oidc_1", move=True),
            "canonical_id: people (9) → the group's own id",
            id="the alias would be taken from a group that nobody saw",
        ),
        pytest.param(
            ALIAS,
            compare_alias(EMBER, OUR_GROUP, ORPHAN, "oidc_1"),
            "canonical_id: group_f748078c (8) → the group's own id",
            id="the same with an empty group",
        ),
        pytest.param(
            ALIAS,
            compare_alias(EMBER, OUR_GROUP, None, "oidc_2"),
            "mount_accessor: ",
            id="oidc/ is another one",
        ),
        pytest.param(
            config(),
            config(**CONFIG | {"kubernetes_host": "https://b"}),
            "kubernetes_host: https://b → https://a:6443",
            id="somebody wrote another host",
        ),
        pytest.param(
            compare_mount(EMBER, None),
            group(()),
            "group/vault-admins-emea, of which the plan says nothing",
            id="-",
        ),
    ],
)
def test_anything_else_stops_and_says_what_moved(planned: Change, now: Change, words: str) -> None:
    plan = approved(planned)
    with pytest.raises(PlanMoved) as moved:
        plan.check([now])
    assert words in str(moved.value)
    assert plan.sha256[:12] in str(moved.value)
    assert "A new run makes a new plan" in moved.value.remedy


def test_all_that_moved_is_said_at_once_and_a_certificate_as_its_hash() -> None:
    with pytest.raises(PlanMoved) as moved:
        approved().check([compare_mount(EMBER, None), config()])
    assert "auth/ember-k8s, auth/ember-k8s/config: is not as it was" in str(moved.value)
    plan = approved(config(**CONFIG))
    with pytest.raises(PlanMoved) as moved:
        plan.check([config(**CONFIG | {"kubernetes_ca_cert": "x"})])
    assert "certificate, sha256 " in str(moved.value)
    assert "BEGIN" not in str(moved.value)


def test_the_hash_covers_every_field_and_what_is_stored_gives_the_same_changes() -> None:
    plans = [Plan(EMBER, (), (change,)) for change in (role(), role(**OURS), config(), config(**CONFIG))]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    for plan in plans:
        stored = json.loads(json.dumps(plan.as_json()))
        assert (
            plan_sha256({**stored, "changes": [one.as_json() for one in changes_of(stored)]}) == plan.sha256
        )


def test_the_pull_requests_text_gives_the_hash_back() -> None:
    sha256 = "0123456789abcdef" * 4
    text = words(EMBER, ["a.yaml"], "table", sha256, "http://prefect/runs/flow-run/1")
    assert plan_of(text.body) == plan_of(text.body.replace("\n", "\r\n")) == sha256
    assert f"Enablement-Plan: {sha256}" in text.commit_message
    assert plan_of("Somebody's own words") is None
    assert plan_of(f"see Plan: `{sha256}`") is None
