"""How our rights are told from the rules that hold for us, and when they are asked by name instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook.cluster_rights import ClusterRight
from runbook.errors import NotAuthenticated
from systems.openshift import OpenShift
from tests.systems.openshift.scripted_api import Answer, Scripted

REVIEWS = "/apis/authorization.k8s.io/v1"
RULES = f"{REVIEWS}/selfsubjectrulesreviews"
BY_NAME = f"{REVIEWS}/selfsubjectaccessreviews"

STORE = ClusterRight("get", "secretstores", "external-secrets.io", "payments", "opf-vault-store")
EVENTS = ClusterRight("list", "events", "", "payments")
TOKEN = ClusterRight("create", "serviceaccounts", "", "payments", "fetcher", "token")


def rule(verbs: str, groups: str, resources: str, *names: str) -> dict[str, Any]:
    found = {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split()}
    return found | ({"resourceNames": list(names)} if names else {})


def answer(scripted: Scripted, *rules: Any, allowed: bool = False, **more: Any) -> None:
    status = {"resourceRules": list(rules), "nonResourceRules": [], "incomplete": False, **more}
    scripted.answers[RULES] = Answer.json({"status": status}, 201)
    scripted.answers[BY_NAME] = Answer.json({"status": {"allowed": allowed}}, 201)


def asked(scripted: Scripted, path: str) -> list[dict[str, Any]]:
    return [json.loads(body)["spec"] for _, at, _, body in scripted.requests if at == path]


@pytest.mark.parametrize(
    ("right", "of_rule"),
    [
        (STORE, rule("get", "external-secrets.io", "secretstores")),
        (STORE, rule("list get", "apps,external-secrets.io", "x secretstores", "other", "opf-vault-store")),
        (STORE, rule("*", "*", "*")),
        (STORE, rule("get", "*", "*", "opf-vault-store")),
        (EVENTS, rule("list", "", "events")),
        (EVENTS, rule("*", "", "*")),
        (TOKEN, rule("create", "", "serviceaccounts/token", "fetcher")),
        (TOKEN, rule("create", "", "*/token")),
        (TOKEN, rule("create", "", "*")),
    ],
)
def test_a_rule_that_grants_is_believed(
    scripted: Scripted, cluster: OpenShift, right: ClusterRight, of_rule: dict[str, Any]
) -> None:
    answer(scripted, rule("get", "", "pods"), of_rule)
    assert cluster.denied([right]) == ()
    assert asked(scripted, BY_NAME) == []


@pytest.mark.parametrize(
    ("right", "of_rule"),
    [
        (STORE, rule("list watch", "external-secrets.io", "secretstores")),
        (STORE, rule("get", "", "secretstores")),
        (STORE, rule("get", "external-secrets.io", "externalsecrets")),
        (STORE, rule("get", "external-secrets.io", "secretstores", "other")),
        (STORE, rule("get", "external-secrets.io", "secretstores/status */secretstores")),
        (STORE, rule("get", "external-secrets.io", "secretstores/*")),
        (STORE, {"verbs": ["get"], "resources": ["*"]}),
        (STORE, {**rule("*", "*", "*"), "resourceNames": "opf-vault-store"}),
        (STORE, {**rule("*", "*", "*"), "verbs": "*"}),
        (EVENTS, rule("list", "", "events", "one")),
        (EVENTS, rule("list", "events.k8s.io", "events")),
        (TOKEN, rule("create", "", "serviceaccounts")),
        (TOKEN, rule("create", "", "serviceaccounts/token", "another")),
        (TOKEN, rule("create", "", "token */status serviceaccounts/*")),
    ],
)
def test_what_no_rule_grants_the_api_server_itself_denies(
    scripted: Scripted, cluster: OpenShift, right: ClusterRight, of_rule: dict[str, Any]
) -> None:
    answer(scripted, of_rule)
    assert cluster.denied([right]) == (right,)
    assert asked(scripted, BY_NAME) == [{"resourceAttributes": right.attributes}]


@pytest.mark.parametrize(
    "more",
    [
        {"incomplete": True, "evaluationError": "webhook authorizer does not support user rule resolution"},
        {"incomplete": True, "resourceRules": None},
        {"resourceRules": ["get"]},
    ],
)
def test_a_right_that_an_incomplete_list_lacks_is_asked_by_name(
    scripted: Scripted, cluster: OpenShift, more: dict[str, Any]
) -> None:
    answer(scripted, allowed=True, **more)
    assert cluster.denied([STORE, EVENTS]) == ()
    assert len(asked(scripted, BY_NAME)) == 2


def test_only_namespaces_of_which_something_is_open_are_asked(scripted: Scripted, cluster: OpenShift) -> None:
    answer(scripted, rule("get", "*", "secretstores"))
    web = ClusterRight("get", "secretstores", "external-secrets.io", "web")
    assert cluster.denied([STORE, web, EVENTS]) == (EVENTS,)
    everywhere, payments = asked(scripted, RULES)
    assert payments == {"namespace": "payments"}
    assert everywhere == {"namespace": "-"}, "where there can be no RoleBinding"


def test_where_the_rules_are_not_told_each_right_is_asked_by_name(
    scripted: Scripted, cluster: OpenShift
) -> None:
    answer(scripted, allowed=True)
    scripted.answers[RULES] = Answer.refusal(403, "forbidden")
    assert cluster.denied([STORE, EVENTS]) == ()
    scripted.answers[RULES] = Answer.refusal(401, "Unauthorized")
    with pytest.raises(NotAuthenticated):
        cluster.denied([STORE])


def test_a_token_that_may_be_limited_to_scopes_is_not_judged_by_the_rules_of_its_user(
    scripted: Scripted,
) -> None:
    answer(scripted, rule("*", "*", "*"))
    with OpenShift(scripted.kubeconfig(token="sha256~of-the-oauth-server"), timeout=5) as cluster:
        assert cluster.denied([STORE, EVENTS]) == (STORE, EVENTS)
    assert asked(scripted, RULES) == []
