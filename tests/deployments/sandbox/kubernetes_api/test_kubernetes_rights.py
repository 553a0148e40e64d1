"""Who may do what: denied by default, allowed by roles and bindings, at once and no further."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.deployments.sandbox.kubernetes_api.kube import (
    RBAC,
    TOKEN_REVIEWS,
    Kube,
    Namespace,
    eventually,
)

ACCESS = "/apis/authorization.k8s.io/v1"


def rule(
    *verbs: str, resources: str = "secrets", group: str = "", names: tuple[str, ...] = ()
) -> dict[str, Any]:
    found: dict[str, Any] = {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}
    return found | ({"resourceNames": list(names)} if names else {})


@pytest.fixture
def token(namespace: Namespace) -> str:
    """A token of the ServiceAccount ``app``, which has no rights yet."""
    namespace.account("app")
    return namespace.token("app")


def code(kube: Kube, token: str, path: str, method: str = "GET", body: Any = None) -> int:
    return kube.send(method, path, body, token=token).status_code


def allows(kube: Kube, token: str, path: str, method: str = "GET", body: Any = None) -> bool:
    return code(kube, token, path, method, body) not in (401, 403)


# Nobody


def test_without_a_token_one_is_anonymous(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("GET", f"{namespace.core}/secrets", token="")
    assert answer.status_code == 403
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" '
        f'in API group "" in the namespace "{namespace.name}"',
        "reason": "Forbidden",
        "details": {"kind": "secrets"},
        "code": 403,
    }


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/livez", "/version"])
def test_everybody_may_know_that_the_server_is_well(kube: Kube, path: str) -> None:
    assert kube.send("GET", path, token="").status_code == 200


def test_nobody_sees_the_rest(kube: Kube) -> None:
    answer = kube.send("GET", "/api", token="")
    assert answer.status_code == 403
    assert answer.json()["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'
    assert kube.send("GET", "/openid/v1/jwks", token="").status_code == 403


def test_a_refusal_comes_before_whether_something_is_there(kube: Kube, token: str) -> None:
    for path in ("/api/v1/nothing", "/apis/no.such.group/v1/things", "/nothing"):
        assert code(kube, token, path) == 403


# Somebody without rights


def test_the_refusal_names_user_verb_resource_and_scope(kube: Kube, namespace: Namespace, token: str) -> None:
    user = f"system:serviceaccount:{namespace.name}:app"

    def message(method: str, path: str, body: Any = None) -> str:
        answer = kube.send(method, path, body, token=token)
        assert answer.status_code == 403
        return str(answer.json()["message"])

    scope = f'in the namespace "{namespace.name}"'
    assert message("GET", f"{namespace.core}/serviceaccounts/x") == (
        f'serviceaccounts "x" is forbidden: User "{user}" cannot get resource "serviceaccounts" '
        f'in API group "" {scope}'
    )
    assert message("POST", f"{namespace.core}/serviceaccounts/app/token", {}) == (
        f'serviceaccounts "app" is forbidden: User "{user}" cannot create resource "serviceaccounts/token" '
        f'in API group "" {scope}'
    )
    assert message("DELETE", f"{RBAC}/clusterroles/x") == (
        f'clusterroles.rbac.authorization.k8s.io "x" is forbidden: User "{user}" cannot delete resource '
        '"clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope'
    )
    assert message("GET", "/api/v1/namespaces?watch=true") == (
        f'namespaces is forbidden: User "{user}" cannot watch resource "namespaces" '
        'in API group "" at the cluster scope'
    )


def test_everybody_with_a_token_may_discover_and_ask_about_himself(kube: Kube, token: str) -> None:
    for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/openid/v1/jwks"):
        assert code(kube, token, path) == 200
    question = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    assert code(kube, token, f"{ACCESS}/selfsubjectaccessreviews", "POST", question) == 201
    assert code(kube, token, "/apis/authentication.k8s.io/v1/selfsubjectreviews", "POST", {}) == 201


def test_reviewing_tokens_takes_the_delegator_role(kube: Kube, namespace: Namespace, token: str) -> None:
    question = {"spec": {"token": token}}
    answer = kube.send("POST", TOKEN_REVIEWS, question, token=token)
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        "tokenreviews.authentication.k8s.io is forbidden: "
        f'User "system:serviceaccount:{namespace.name}:app" cannot create resource "tokenreviews" '
        'in API group "authentication.k8s.io" at the cluster scope'
    )
    bind_in_cluster(namespace, "system:auth-delegator")
    eventually(lambda: code(kube, token, TOKEN_REVIEWS, "POST", question) == 201)


def bind_in_cluster(namespace: Namespace, role: str, **subject: str) -> str:
    """A ClusterRoleBinding, by default to ``app``; returns its name."""
    name = f"test-{uuid4().hex[:8]}"
    who = subject or {"kind": "ServiceAccount", "name": "app", "namespace": namespace.name}
    namespace.make_in_cluster(
        f"{RBAC}/clusterrolebindings",
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [who],
        },
    )
    return name


# Rights


def test_a_role_counts_in_its_namespace_only(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.allow("app", [rule("get", "list")])
    eventually(lambda: code(kube, token, f"{namespace.core}/secrets") == 200)
    assert code(kube, token, f"{namespace.core}/secrets/none") == 404
    assert code(kube, token, f"{namespace.core}/secrets/none", "DELETE") == 403
    assert code(kube, token, f"{namespace.core}/configmaps") == 403
    assert code(kube, token, "/api/v1/namespaces/default/secrets") == 403
    assert code(kube, token, "/api/v1/secrets") == 403


def test_a_cluster_role_bound_in_a_namespace_counts_there_only(
    kube: Kube, namespace: Namespace, token: str
) -> None:
    namespace.bind("app", "ClusterRole", "view")
    eventually(lambda: code(kube, token, f"{namespace.core}/configmaps") == 200)
    assert code(kube, token, f"{namespace.core}/secrets") == 403
    assert code(kube, token, "/api/v1/namespaces/default/configmaps") == 403


def test_a_cluster_role_bound_in_the_cluster_counts_everywhere(
    kube: Kube, namespace: Namespace, token: str
) -> None:
    bind_in_cluster(namespace, "cluster-admin")
    eventually(lambda: code(kube, token, "/api/v1/secrets") == 200)
    assert code(kube, token, "/nothing") == 404


def test_a_right_may_be_limited_to_names(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.allow("app", [rule("get", "list", "delete", names=("mine",))])
    eventually(lambda: allows(kube, token, f"{namespace.core}/secrets/mine"))
    assert not allows(kube, token, f"{namespace.core}/secrets/other")
    assert not allows(kube, token, f"{namespace.core}/secrets")
    assert allows(kube, token, f"{namespace.core}/secrets?fieldSelector=metadata.name=mine")
    assert not allows(kube, token, f"{namespace.core}/secrets?fieldSelector=metadata.name=other")


def test_a_subresource_is_a_resource_of_its_own(kube: Kube, namespace: Namespace, token: str) -> None:
    path = f"{namespace.core}/serviceaccounts/app"
    namespace.allow("app", [rule("create", resources="serviceaccounts/token", names=("app",))])
    eventually(lambda: code(kube, token, f"{path}/token", "POST", {}) == 201)
    assert code(kube, token, path) == 403
    other = f"{namespace.core}/serviceaccounts/default/token"
    assert code(kube, token, other, "POST", {}) == 403


def test_a_resource_does_not_bring_its_subresources(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.allow("app", [rule("*", resources="serviceaccounts")])
    eventually(lambda: code(kube, token, f"{namespace.core}/serviceaccounts/app") == 200)
    assert code(kube, token, f"{namespace.core}/serviceaccounts/app/token", "POST", {}) == 403


@pytest.mark.parametrize(
    "rules",
    [
        rule("*"),
        rule("get", "list", resources="*"),
        rule("list", group="*"),
        rule("list", resources="configmaps secrets"),
    ],
    ids=["verbs", "resources", "groups", "several"],
)
def test_a_star_stands_for_all(kube: Kube, namespace: Namespace, token: str, rules: dict[str, Any]) -> None:
    namespace.allow("app", [rules])
    eventually(lambda: code(kube, token, f"{namespace.core}/secrets") == 200)


@pytest.mark.parametrize(
    "rules",
    [
        rule("get"),
        rule("list", group="apps"),
        rule("list", resources="secret"),
        rule("list", resources="*/x"),
    ],
    ids=["verb", "group", "resource", "subresource"],
)
def test_what_is_not_named_is_not_allowed(
    kube: Kube, namespace: Namespace, token: str, rules: dict[str, Any]
) -> None:
    namespace.allow("app", [rules, rule("list", resources="configmaps")])
    eventually(lambda: code(kube, token, f"{namespace.core}/configmaps") == 200)
    assert code(kube, token, f"{namespace.core}/secrets") == 403


def test_a_path_may_be_allowed(kube: Kube, namespace: Namespace, token: str) -> None:
    role = f"test-{uuid4().hex[:8]}"
    body = {"metadata": {"name": role}, "rules": [{"nonResourceURLs": ["/page/*", "/one"], "verbs": ["get"]}]}
    namespace.make_in_cluster(f"{RBAC}/clusterroles", body)
    bind_in_cluster(namespace, role)
    eventually(lambda: code(kube, token, "/page/x") == 404)
    assert code(kube, token, "/one") == 404
    assert code(kube, token, "/one/two") == 403
    assert code(kube, token, "/one", "POST", {}) == 403


@pytest.mark.parametrize("group", ["system:authenticated", "system:serviceaccounts", "own"])
def test_rights_of_a_group_are_rights_of_its_members(
    kube: Kube, namespace: Namespace, token: str, group: str
) -> None:
    name = f"system:serviceaccounts:{namespace.name}" if group == "own" else group
    kube.create(f"{namespace.rbac}/roles", {"metadata": {"name": "r"}, "rules": [rule("list")]})
    body = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}],
    }
    kube.create(f"{namespace.rbac}/rolebindings", body)
    eventually(lambda: code(kube, token, f"{namespace.core}/secrets") == 200)
    assert kube.send("GET", f"{namespace.core}/secrets", token="").status_code == 403


def test_a_withdrawn_right_is_gone(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.allow("app", [rule("list")])
    eventually(lambda: code(kube, token, f"{namespace.core}/secrets") == 200)
    kube.delete(f"{namespace.rbac}/rolebindings/allowed")
    eventually(lambda: code(kube, token, f"{namespace.core}/secrets") == 403)


def test_a_binding_to_a_missing_role_says_so(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.bind("app", "Role", "missing")
    words = ': RBAC: role.rbac.authorization.k8s.io "missing" not found'
    path = f"{namespace.core}/secrets"
    eventually(lambda: kube.send("GET", path, token=token).json()["message"].endswith(words))


def test_the_role_of_a_binding_never_changes(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.bind("app", "ClusterRole", "view")
    change = {"roleRef": {"name": "edit"}}
    path = f"{namespace.rbac}/rolebindings/view"
    answer = kube.send("PATCH", path, change, media_type="application/merge-patch+json")
    assert answer.status_code == 422
    assert "cannot change roleRef" in answer.json()["message"]


def test_a_binding_has_to_be_complete(kube: Kube, namespace: Namespace) -> None:
    body = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "Role"},
        "subjects": [{"kind": "ServiceAccount", "name": "app"}, {"kind": "Robot", "name": ""}],
    }
    answer = kube.send("POST", f"{RBAC}/clusterrolebindings", body)
    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        "roleRef.kind",
        "roleRef.name",
        "subjects[0].namespace",
        "subjects[1].name",
        "subjects[1].kind",
    ]


def test_a_rule_has_to_be_complete(kube: Kube, namespace: Namespace) -> None:
    rules = [{"resources": ["x"]}, {"verbs": ["get"]}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]
    answer = kube.send("POST", f"{namespace.rbac}/roles", {"metadata": {"name": "r"}, "rules": rules})
    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        "rules[0].verbs",
        "rules[0].apiGroups",
        "rules[1].apiGroups",
        "rules[1].resources",
        "rules[2].nonResourceURLs",
    ]


# Asking


def ask(kube: Kube, kind: str, token: str | None = None, **spec: Any) -> dict[str, Any]:
    answer = kube.send("POST", f"{ACCESS}/{kind}", {"spec": spec}, token=token)
    assert answer.status_code == 201, answer.text
    status: dict[str, Any] = answer.json()["status"]
    return status


def test_a_user_can_ask_what_he_may(kube: Kube, namespace: Namespace, token: str) -> None:
    namespace.allow("app", [rule("get", names=("mine",))])

    def mine(**attributes: str) -> dict[str, Any]:
        asked = {"namespace": namespace.name, "resource": "secrets", "verb": "get", **attributes}
        return ask(kube, "selfsubjectaccessreviews", token, resourceAttributes=asked)

    found = eventually(lambda: (status := mine(name="mine"))["allowed"] and status)
    source = (
        f'RoleBinding "allowed/{namespace.name}" of Role "allowed" to ServiceAccount "app/{namespace.name}"'
    )
    assert found == {"allowed": True, "reason": f"RBAC: allowed by {source}"}
    assert mine() == {"allowed": False}
    assert mine(name="other") == {"allowed": False}
    assert mine(name="mine", namespace="default") == {"allowed": False}
    assert mine(name="mine", subresource="status") == {"allowed": False}
    path = {"verb": "get", "path": "/metrics"}
    assert ask(kube, "selfsubjectaccessreviews", token, nonResourceAttributes=path) == {"allowed": False}
    path = {"verb": "get", "path": "/api"}
    assert ask(kube, "selfsubjectaccessreviews", token, nonResourceAttributes=path)["allowed"]


def test_the_administrator_may_everything(kube: Kube) -> None:
    asked = {"verb": "*", "resource": "*", "group": "*"}
    assert ask(kube, "selfsubjectaccessreviews", resourceAttributes=asked)["allowed"]


def test_one_can_ask_about_somebody_else(kube: Kube, namespace: Namespace, token: str) -> None:
    bind_in_cluster(
        namespace, "view", kind="User", name=f"{namespace.name}-user", apiGroup="rbac.authorization.k8s.io"
    )
    asked = {"verb": "list", "resource": "configmaps"}

    def allowed(**subject: Any) -> bool:
        return bool(ask(kube, "subjectaccessreviews", resourceAttributes=asked, **subject)["allowed"])

    eventually(lambda: allowed(user=f"{namespace.name}-user"))
    assert not allowed(user="somebody")
    assert allowed(user="somebody", groups=["system:masters"])
    assert code(kube, token, f"{ACCESS}/subjectaccessreviews", "POST", {"spec": {}}) == 403


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("selfsubjectaccessreviews", {}, "spec.resourceAttributes"),
        ("subjectaccessreviews", {"user": "x"}, "spec.resourceAttributes"),
        ("subjectaccessreviews", {"resourceAttributes": {"verb": "get"}}, "spec.user"),
    ],
)
def test_a_question_has_to_be_one(kube: Kube, kind: str, spec: dict[str, Any], field: str) -> None:
    answer = kube.send("POST", f"{ACCESS}/{kind}", {"spec": spec})
    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [field]


# Acting as somebody else


def test_the_administrator_can_act_as_another(kube: Kube, namespace: Namespace, token: str) -> None:
    user = {"Impersonate-User": f"system:serviceaccount:{namespace.name}:app"}
    answer = kube.send("GET", f"{namespace.core}/secrets", **user)
    assert answer.status_code == 403
    namespace.allow("app", [rule("list")])
    eventually(lambda: kube.send("GET", f"{namespace.core}/secrets", **user).status_code == 200)


def test_nobody_else_can(kube: Kube, namespace: Namespace, token: str) -> None:
    for name in ("admin", "system:serviceaccount:default:default"):
        answer = kube.send("GET", "/api", token=token, **{"Impersonate-User": name})
        assert answer.status_code == 403
        assert "impersonate" in answer.json()["message"]
