"""Who may do what: denied by default, allowed by roles and bindings, at once and no further."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import (
    RBAC,
    RBAC_GROUP,
    TOKEN_REVIEWS,
    Kube,
    Namespace,
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


def test_everybody_may_know_the_version_and_nobody_sees_the_rest(kube: Kube) -> None:
    assert kube.send("GET", "/version", token="").status_code == 200
    answer = kube.send("GET", "/api", token="")
    assert answer.status_code == 403
    assert answer.json()["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'
    assert kube.send("GET", "/openid/v1/jwks", token="").status_code == 403


def test_a_refusal_comes_before_whether_something_is_there(kube: Kube, token: str) -> None:
    for path in ("/api/v1/nothing", "/apis/no.such.group/v1/things", "/nothing"):
        assert code(kube, token, path) == 403


# Somebody without rights


@pytest.mark.parametrize(
    ("request_line", "subject", "what"),
    [
        ("GET {}/serviceaccounts/x", 'serviceaccounts "x"', 'get resource "serviceaccounts" in API group ""'),
        (
            "POST {}/serviceaccounts/app/token",
            'serviceaccounts "app"',
            'create resource "serviceaccounts/token" in API group ""',
        ),
        (
            f"DELETE {RBAC}/clusterroles/x",
            f'clusterroles.{RBAC_GROUP} "x"',
            f'delete resource "clusterroles" in API group "{RBAC_GROUP}"',
        ),
        ("GET /api/v1/namespaces?watch=true", "namespaces", 'watch resource "namespaces" in API group ""'),
        (
            f"POST {TOKEN_REVIEWS}",
            "tokenreviews.authentication.k8s.io",
            'create resource "tokenreviews" in API group "authentication.k8s.io"',
        ),
    ],
)
def test_the_refusal_names_user_verb_resource_and_scope(
    kube: Kube, namespace: Namespace, token: str, request_line: str, subject: str, what: str
) -> None:
    method, path = request_line.format(namespace.core).split()
    answer = kube.send(method, path, {} if method == "POST" else None, token=token)
    here = f'in the namespace "{namespace.name}"' if "{}" in request_line else "at the cluster scope"
    user = f"system:serviceaccount:{namespace.name}:app"
    assert answer.status_code == 403
    assert answer.json()["message"] == f'{subject} is forbidden: User "{user}" cannot {what} {here}'


def test_everybody_with_a_token_may_discover_and_ask_about_himself(kube: Kube, token: str) -> None:
    for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/openid/v1/jwks"):
        assert code(kube, token, path) == 200
    question = {"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    assert code(kube, token, f"{ACCESS}/selfsubjectaccessreviews", "POST", question) == 201


def bind_in_cluster(namespace: Namespace, role: str, **subject: str) -> None:
    """A ClusterRoleBinding, by default to ``app``."""
    name = f"test-{uuid4().hex[:8]}"
    who = subject or {"kind": "ServiceAccount", "name": "app", "namespace": namespace.name}
    reference = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role}
    body = {"metadata": {"name": name}, "roleRef": reference, "subjects": [who]}
    namespace.make_in_cluster(f"{RBAC}/clusterrolebindings", body)


# Rights


TOKEN = rule("create", resources="serviceaccounts/token", names=("app",))
LIST_MAPS, MAPS = rule("list", resources="configmaps"), "GET {}/configmaps"
TO_SECRETS = "GET {}/secrets"
ONLY_MAPS = {MAPS: 200, TO_SECRETS: 403}


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        pytest.param(
            [rule("get", "list")],
            {
                TO_SECRETS: 200,
                "GET {}/secrets/none": 404,
                "DELETE {}/secrets/none": 403,
                MAPS: 403,
                "GET /api/v1/namespaces/default/secrets": 403,
                "GET /api/v1/secrets": 403,
            },
            id="in the role's namespace only",
        ),
        pytest.param(
            "view",
            {
                MAPS: 200,
                TO_SECRETS: 403,
                "GET /api/v1/namespaces/default/configmaps": 403,
            },
            id="a ClusterRole in the binding's namespace only",
        ),
        pytest.param(
            [rule("get", "list", "delete", names=("mine",))],
            {"GET {}/secrets/mine": 404, "GET {}/secrets/other": 403, TO_SECRETS: 403},
            id="names",
        ),
        pytest.param(
            [TOKEN],
            {
                "POST {}/serviceaccounts/app/token": 201,
                "GET {}/serviceaccounts/app": 403,
                "POST {}/serviceaccounts/default/token": 403,
            },
            id="a subresource of its own",
        ),
        pytest.param(
            [rule("*", resources="serviceaccounts")],
            {"GET {}/serviceaccounts/app": 200, "POST {}/serviceaccounts/app/token": 403},
            id="no subresources",
        ),
        pytest.param([rule("*")], {TO_SECRETS: 200}, id="all verbs"),
        pytest.param([rule("get", "list", resources="*")], {TO_SECRETS: 200}, id="all resources"),
        pytest.param([rule("list", group="*")], {TO_SECRETS: 200}, id="all groups"),
        pytest.param([rule("list", resources="configmaps secrets")], {TO_SECRETS: 200}, id="several"),
        pytest.param([LIST_MAPS, rule("get")], ONLY_MAPS, id="another verb"),
        pytest.param([LIST_MAPS, rule("list", group="apps")], ONLY_MAPS, id="another group"),
        pytest.param([LIST_MAPS, rule("list", resources="secret")], ONLY_MAPS, id="singular"),
        pytest.param([LIST_MAPS, rule("list", resources="*/x")], ONLY_MAPS, id="subresources"),
    ],
)
def test_a_right_counts_for_what_it_names(
    kube: Kube, namespace: Namespace, token: str, given: list[Any] | str, answers: dict[str, int]
) -> None:
    if isinstance(given, str):
        namespace.bind("app", "ClusterRole", given)
    else:
        namespace.allow("app", given)

    def asked(request_line: str) -> int:
        method, path = request_line.format(namespace.core).split()
        return code(kube, token, path, method, {} if method == "POST" else None)

    first, expected = next(iter(answers.items()))
    eventually(lambda: asked(first) == expected)
    assert {request_line: asked(request_line) for request_line in answers} == answers


def test_a_cluster_role_bound_in_the_cluster_counts_everywhere(
    kube: Kube, namespace: Namespace, token: str
) -> None:
    bind_in_cluster(namespace, "cluster-admin")
    eventually(lambda: code(kube, token, "/api/v1/secrets") == 200)
    assert code(kube, token, "/nothing") == 404


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
    namespace.bind("", "Role", "r", {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name})
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
    path = f"{namespace.rbac}/rolebindings/view"
    binding = kube.get(path)
    binding["roleRef"]["name"] = "edit"
    answer = kube.send("PUT", path, binding)
    assert answer.status_code == 422
    assert "cannot change roleRef" in answer.json()["message"]


def test_a_binding_has_to_be_complete(kube: Kube) -> None:
    subjects = [{"kind": "ServiceAccount", "name": "app"}, {"kind": "Robot", "name": ""}]
    body = {"metadata": {"name": "b"}, "roleRef": {"kind": "Role"}, "subjects": subjects}
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


def test_one_can_ask_about_somebody_else(kube: Kube, namespace: Namespace, token: str) -> None:
    user = f"{namespace.name}-user"
    bind_in_cluster(namespace, "view", kind="User", name=user, apiGroup=RBAC_GROUP)
    asked = {"verb": "list", "resource": "configmaps"}

    def allowed(**subject: Any) -> bool:
        return bool(ask(kube, "subjectaccessreviews", resourceAttributes=asked, **subject)["allowed"])

    eventually(lambda: allowed(user=user))
    assert not allowed(user="somebody")
    assert allowed(user="somebody", groups=["system:masters"])
    assert code(kube, token, f"{ACCESS}/subjectaccessreviews", "POST", {"spec": {}}) == 403


def test_the_rules_in_a_namespace_are_those_of_all_bindings_there_and_in_the_cluster(
    kube: Kube, namespace: Namespace, token: str
) -> None:
    def rules(place: str) -> dict[str, Any]:
        return ask(kube, "selfsubjectrulesreviews", token, namespace=place)

    mine = rule("get", names=("mine",))
    namespace.allow("app", [mine])
    eventually(lambda: mine in rules(namespace.name)["resourceRules"])
    here, nowhere = rules(namespace.name), rules("-")
    # RoleBindings are those of the namespace; where there is none, only those of the cluster are left.
    assert mine not in nowhere["resourceRules"]
    assert (here["incomplete"], nowhere["incomplete"]) == (False, False)
    assert any("selfsubjectrulesreviews" in one["resources"] for one in nowhere["resourceRules"])
    assert any("/version" in one["nonResourceURLs"] for one in nowhere["nonResourceRules"])

    bind_in_cluster(namespace, "view")
    in_view = eventually(
        lambda: [one for one in rules("-")["resourceRules"] if "configmaps" in one["resources"]]
    )
    assert in_view[0]["verbs"] == ["get", "list", "watch"]


def test_rules_that_cannot_be_found_are_said_beside_the_others(
    kube: Kube, namespace: Namespace, token: str
) -> None:
    namespace.bind("app", "Role", "missing")
    words = 'role.rbac.authorization.k8s.io "missing" not found'
    question = {"namespace": namespace.name}
    found = eventually(
        lambda: (
            (status := ask(kube, "selfsubjectrulesreviews", token, **question)).get("evaluationError")
            and status
        )
    )
    assert found["evaluationError"].startswith(words)
    assert found["resourceRules"]


def test_the_administrators_rule_is_one_of_stars(kube: Kube) -> None:
    stars = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert stars in ask(kube, "selfsubjectrulesreviews", namespace="default")["resourceRules"]


def test_a_question_for_rules_names_a_namespace(kube: Kube) -> None:
    answer = kube.send("POST", f"{ACCESS}/selfsubjectrulesreviews", {"spec": {}})
    assert (answer.status_code, answer.json()["message"]) == (400, "no namespace on request")


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
