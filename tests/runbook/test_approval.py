"""When what a step would do now is a part of the approved plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from runbook.approval import ApprovedPlan
from runbook.changes import Change
from runbook.errors import PlanMoved
from runbook.hosts import ApiServer
from runbook.names import Cluster
from runbook.objects import Alias, Group, Mount, Role
from runbook.objects.policy import environment_policy
from runbook.plan import Plan, changes_of, plan_sha256
from runbook.request import EnableRequest
from runbook.vault_answers import AliasInVault, GroupInVault
from tests.tables import table

EMBER = Cluster("emea", "ember")
CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def request(**changes: Any) -> EnableRequest:
    values: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ("payments", "web")}
    return EnableRequest.model_validate({**values, **changes})


def approved(*changes: Change) -> ApprovedPlan:
    """A plan after it was stored and read again."""
    plan = Plan(str(EMBER), (), changes)
    stored = json.loads(json.dumps(plan.as_json()))
    assert plan_sha256(stored) == plan.sha256
    return ApprovedPlan(plan.sha256, stored["changes"], None)


def new_role(wanted: EnableRequest, there: Mapping[str, Any] | None = None) -> Change:
    (role,) = wanted.objects_of(Role)
    assert isinstance(role, Role)
    return role.compare_with(there)


def role(**there: Any) -> Change:
    return new_role(request(), there or None)


def group(policies: tuple[str, ...], **metadata: str) -> Change:
    return Group(EMBER).compare_with(GroupInVault("1", EMBER.admin_group, "external", policies, metadata))


def config(*, login_works: bool = True, **there: Any) -> Change:
    wanted = request(adopt=["auth/ember-k8s/config"] if "issuer" in there else [])
    return wanted.config.compare_with(there or None, ApiServer("https://a:6443", CA), login_works=login_works)


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
NEW_MOUNT = Mount(EMBER).compare_with(None)
NEW_GROUP = Group(EMBER).compare_with(None)
ALIAS = Alias(EMBER).compare_with(None, None, "oidc_1")
THEIRS = AliasInVault("a-9", EMBER.admin_group, "oidc_1")
SOME_GROUP = GroupInVault("9", "people", "external", (), {}, THEIRS)
ORPHAN = GroupInVault("8", "group_f748078c", "external", (), {}, THEIRS)
OUR_GROUP = GroupInVault("1", EMBER.admin_group, "external", ("emea-kv-rw",), {})


@table(
    "planned, now",
    {
        "the same": (NEW_MOUNT, NEW_MOUNT),
        "done by hand": (NEW_MOUNT, Mount(EMBER).compare_with("kubernetes")),
        "made by hand with a field left out": (role(), role(**OURS | {"token_ttl": 0})),
        "made by hand in part": (role(), role(**OURS | {"bound_service_account_namespaces": ["web"]})),
        "somebody added an entry of theirs to a shared list": (
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            role(**OURS | {"bound_service_account_namespaces": ["web", "argocd"]}),
        ),
        "the group was made by hand without policy": (NEW_GROUP, group(())),
        "and with policy and metadata of others": (NEW_GROUP, group(("audit",), ticket="1")),
        "the group has an id now": (ALIAS, Alias(EMBER).compare_with(OUR_GROUP, None, "oidc_1")),
        "the reviewer's token ended": (config(**CONFIG), config(**CONFIG, login_works=False)),
        "config written by hand with a default": (
            config(),
            config(**CONFIG | {"disable_local_ca_jwt": False}),
        ),
        "a field of others is carried over": (
            config(**CONFIG | {"kubernetes_host": "https://old"}),
            config(**CONFIG | {"kubernetes_host": "https://old", "issuer": "https://i"}),
        ),
    },
)
def test_less_to_do_than_was_approved_goes_on(planned: Change, now: Change) -> None:
    approved(planned).check([now])


@table(
    "planned, now, words",
    {
        "a value that somebody set would be overwritten": (
            role(),
            role(**OURS | {"token_ttl": 7200}),
            "token_ttl: 7200 → 3600; the plan has token_ttl: nothing → 3600",
        ),
        "another value than was shown would be overwritten": (
            role(**OURS | {"token_ttl": 7200}),
            role(**OURS | {"token_ttl": 60}),
            "token_ttl: 60 → 3600; the plan has token_ttl: 7200 → 3600",
        ),
        "an entry was taken out that the plan found there": (
            role(**OURS),
            role(**OURS | {"bound_service_account_namespaces": ["web"]}),
            "bound_service_account_namespaces: web → web, payments; the plan does not change this field",
        ),
        "one entry more would be added": (
            new_role(request()),
            new_role(request(namespaces=("payments", "web", "new"))),
            "payments, web, new; the plan has bound_service_account_namespaces: nothing → payments, web",
        ),
        "a policy was deleted that the plan found there": (
            environment_policy(EMBER).compare_with(environment_policy(EMBER).text),
            environment_policy(EMBER).compare_with(None),
            "policy/emea-kv-r, which is not there but was when the plan was made",
        ),
        "a config is not seen in which others have a field": (
            config(kubernetes_host="https://old", issuer="https://i"),
            config(),
            "auth/ember-k8s/config, which is not there but was when the plan was made",
        ),
        "the alias would be taken from a group that nobody saw": (
            ALIAS,
            Alias(EMBER, move=True).compare_with(OUR_GROUP, SOME_GROUP, "oidc_1"),
            "canonical_id: people (9) → the group's own id",
        ),
        "the same with an empty group": (
            ALIAS,
            Alias(EMBER).compare_with(OUR_GROUP, ORPHAN, "oidc_1"),
            "canonical_id: group_f748078c (8) → the group's own id",
        ),
        "oidc/ is another one": (
            ALIAS,
            Alias(EMBER).compare_with(OUR_GROUP, None, "oidc_2"),
            "mount_accessor: ",
        ),
        "somebody wrote another host": (
            config(),
            config(**CONFIG | {"kubernetes_host": "https://b"}),
            "kubernetes_host: https://b → https://a:6443",
        ),
        "-": (
            NEW_MOUNT,
            group(()),
            "group/vault-admins-emea, which is not in the plan",
        ),
    },
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
        approved().check([NEW_MOUNT, config()])
    assert "auth/ember-k8s, auth/ember-k8s/config: has changed since" in str(moved.value)
    plan = approved(config(**CONFIG))
    with pytest.raises(PlanMoved) as moved:
        plan.check([config(**CONFIG | {"kubernetes_ca_cert": "x"})])
    assert "certificate, sha256 " in str(moved.value)
    assert "BEGIN" not in str(moved.value)


def test_the_hash_covers_every_field_and_what_is_stored_gives_the_same_changes() -> None:
    plans = [Plan(str(EMBER), (), (change,)) for change in (role(), role(**OURS), config(), config(**CONFIG))]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    for plan in plans:
        stored = json.loads(json.dumps(plan.as_json()))
        assert (
            plan_sha256({**stored, "changes": [one.as_json() for one in changes_of(stored)]}) == plan.sha256
        )
