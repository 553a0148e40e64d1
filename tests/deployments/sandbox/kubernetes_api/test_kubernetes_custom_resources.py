"""CustomResourceDefinitions: making one makes its kinds served, and its schema decides what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.deployments.sandbox.kubernetes_api.kube import (
    APPLY_PATCH,
    MERGE_PATCH,
    Kube,
    Namespace,
    eventually,
)

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "string", "enum": ["small", "large"]},
                "count": {"type": "integer", "minimum": 2, "maximum": 9, "default": 5},
                "labels": {"type": "object", "additionalProperties": TEXT},
                "parts": {
                    "type": "array",
                    "maxItems": 1,
                    "items": {"type": "object", "properties": {"name": {**TEXT, "pattern": "^z"}}},
                },
                "provider": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": {"one": TEXT, "two": {**TEXT, "minLength": 2, "maxLength": 3}},
                },
                "either": {
                    "type": "object",
                    "properties": {"a": TEXT, "b": TEXT},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "port": {"x-kubernetes-int-or-string": True},
                "nothing": {**TEXT, "nullable": True},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


@dataclass
class Widgets:
    """A custom resource of its own for one test."""

    kube: Kube
    namespace: Namespace
    group: str
    definition: str

    def path(self, version: str = "v1", namespace: str = "") -> str:
        """Of the resource in the test's namespace."""
        return f"/apis/{self.group}/{version}/namespaces/{namespace or self.namespace.name}/widgets"

    def body(self, name: str = "w", version: str = "v1", **spec: Any) -> dict[str, Any]:
        """A valid object, with changes of its specification."""
        return {
            "apiVersion": f"{self.group}/{version}",
            "kind": "Widget",
            "metadata": {"name": name},
            "spec": {"size": "small", **spec},
        }


def definition(group: str) -> dict[str, Any]:
    """Served in two versions, of which only v1 has a status of its own; a third one is not served."""
    schema = {"openAPIV3Schema": SCHEMA}
    return {
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": schema,
                    "subresources": {"status": {}},
                },
                {"name": "v1beta1", "served": True, "storage": False, "schema": schema},
                {"name": "v1alpha1", "served": False, "storage": False, "schema": schema},
            ],
        },
    }


def served(kube: Kube, path: str) -> bool:
    return kube.send("GET", path).status_code == 200


@pytest.fixture
def widgets(kube: Kube, namespace: Namespace) -> Iterator[Widgets]:
    """The resource, once it is served."""
    group = f"test-{uuid4().hex[:8]}.example.com"
    namespace.make_in_cluster(DEFINITIONS, definition(group))
    made = Widgets(kube, namespace, group, f"{DEFINITIONS}/widgets.{group}")
    eventually(lambda: established(kube, made.definition))
    for version in ("v1", "v1beta1"):
        eventually(partial(served, kube, made.path(version)))
    yield made
    kube.send("DELETE", made.definition)
    eventually(lambda: kube.gone(made.definition))


def established(kube: Kube, path: str) -> bool:
    conditions = kube.get(path)["status"]["conditions"] or []
    return {"Established", "NamesAccepted"} <= {c["type"] for c in conditions if c["status"] == "True"}


def test_a_definition_is_completed(kube: Kube, widgets: Widgets) -> None:
    found = kube.get(widgets.definition)
    names = {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
        "shortNames": ["wd"],
    }
    assert found["spec"]["names"] == found["status"]["acceptedNames"] == names
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["spec"]["conversion"] == {"strategy": "None"}


def test_its_versions_are_discovered(kube: Kube, widgets: Widgets) -> None:
    def discovered() -> Any:
        answer = kube.send("GET", f"/apis/{widgets.group}")
        return answer.json() if answer.is_success and len(answer.json()["versions"]) == 2 else None

    found = eventually(discovered)
    assert [version["version"] for version in found["versions"]] == ["v1", "v1beta1"]
    assert found["preferredVersion"]["version"] == "v1"
    resources = {item["name"]: item for item in kube.get(f"/apis/{widgets.group}/v1")["resources"]}
    assert set(resources) == {"widgets", "widgets/status"}
    assert resources["widgets"]["namespaced"]
    assert resources["widgets"]["shortNames"] == ["wd"]
    assert set(resources["widgets/status"]["verbs"]) == {"get", "patch", "update"}
    names = [item["name"] for item in kube.get(f"/apis/{widgets.group}/v1beta1")["resources"]]
    assert names == ["widgets"]


def test_a_version_that_is_not_served_is_not_there(kube: Kube, widgets: Widgets) -> None:
    assert kube.send("GET", widgets.path("v1alpha1")).status_code == 404


def test_an_object_is_seen_in_every_version(kube: Kube, widgets: Widgets) -> None:
    made = kube.create(widgets.path("v1beta1"), widgets.body(version="v1beta1"))
    assert made["apiVersion"] == f"{widgets.group}/v1beta1"
    seen = kube.get(f"{widgets.path()}/w")
    assert seen == made | {"apiVersion": f"{widgets.group}/v1"}
    kube.delete(f"{widgets.path()}/w")
    assert kube.gone(f"{widgets.path('v1beta1')}/w")


def test_a_namespaced_kind_needs_its_namespace(kube: Kube, widgets: Widgets) -> None:
    answer = kube.send("POST", widgets.path(namespace="no-such-one"), widgets.body())
    assert (answer.status_code, answer.json()["message"]) == (404, 'namespaces "no-such-one" not found')


def test_defaults_are_set_and_undeclared_fields_dropped(kube: Kube, widgets: Widgets) -> None:
    spec: dict[str, Any] = {
        "unknown": 1,
        "labels": {"a": "b"},
        "free": {"x": {"y": 1}},
        "parts": [{"name": "z", "more": 1}],
        "port": "http",
        "nothing": None,
    }
    made = kube.create(widgets.path(), widgets.body(**spec))
    assert made["spec"] == {
        "size": "small",
        "count": 5,
        "labels": {"a": "b"},
        "free": {"x": {"y": 1}},
        "parts": [{"name": "z"}],
        "port": "http",
        "nothing": None,
    }
    assert made["metadata"]["generation"] == 1


INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"size": "medium"}, "spec.size", 'Unsupported value: "medium": supported values: "small", "large"'),
    ({"size": None}, "spec.size", "Required value"),
    ({"count": 1}, "spec.count", "Invalid value: 1: spec.count in body should be greater than or equal to 2"),
    ({"count": 10}, "spec.count", "Invalid value: 10: spec.count in body should be less than or equal to 9"),
    (
        {"count": "x"},
        "spec.count",
        'Invalid value: "string": spec.count in body must be of type integer: "string"',
    ),
    (
        {"labels": {"a": 1}},
        "spec.labels.a",
        'Invalid value: "integer": spec.labels.a in body must be of type string: "integer"',
    ),
    (
        {"parts": [{"name": "a"}]},
        "spec.parts[0].name",
        "Invalid value: \"a\": spec.parts[0].name in body should match '^z'",
    ),
    ({"parts": [{}, {}]}, "spec.parts", "Too many: 2: must have at most 1 item"),
    (
        {"provider": {}},
        "spec.provider",
        "Invalid value: 0: spec.provider in body should have at least 1 properties",
    ),
    ({"provider": {"one": "", "two": "xx"}}, "spec.provider", "Too many: 2: must have at most 1 item"),
    (
        {"provider": {"two": "x"}},
        "spec.provider.two",
        'Invalid value: "x": spec.provider.two in body should be at least 2 chars long',
    ),
    ({"provider": {"two": "xxxx"}}, "spec.provider.two", "Too long: may not be more than 3 bytes"),
]


@pytest.mark.parametrize(("spec", "field", "message"), INVALID)
def test_what_the_schema_does_not_allow_is_named(
    kube: Kube, widgets: Widgets, spec: dict[str, Any], field: str, message: str
) -> None:
    answer = kube.send("POST", widgets.path(), widgets.body(**spec))
    assert answer.status_code == 422
    causes = {cause["field"]: cause["message"] for cause in answer.json()["details"]["causes"]}
    assert causes == {field: message}
    assert answer.json()["message"] == f'Widget.{widgets.group} "w" is invalid: {field}: {message}'


def test_exactly_one_of_several_schemas_has_to_fit(kube: Kube, widgets: Widgets) -> None:
    for either in ({}, {"a": "", "b": ""}):
        answer = kube.send("POST", widgets.path(), widgets.body(either=either))
        assert answer.status_code == 422
        assert "must validate one and only one schema (oneOf)" in answer.json()["message"]
    kube.create(widgets.path(), widgets.body(either={"a": ""}))


def test_another_kind_is_refused(kube: Kube, widgets: Widgets) -> None:
    answer = kube.send("POST", widgets.path(), widgets.body() | {"kind": "Gadget"})
    words = f'Gadget.{widgets.group} "w" is invalid: kind: Invalid value: "Gadget": must be Widget'
    assert (answer.status_code, answer.json()["message"]) == (422, words)
    answer = kube.send("POST", widgets.path(), widgets.body(version="v1beta1"))
    assert answer.status_code == 400
    assert "does not match the expected API version" in answer.json()["message"]


def test_an_update_has_to_say_what_it_saw(kube: Kube, widgets: Widgets) -> None:
    made = kube.create(widgets.path(), widgets.body())
    answer = kube.send("PUT", f"{widgets.path()}/w", widgets.body(size="large"))
    assert answer.status_code == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified" in answer.json()["message"]
    made["spec"]["size"] = "large"
    assert kube.send("PUT", f"{widgets.path()}/w", made).json()["metadata"]["generation"] == 2


def test_the_status_is_written_by_itself(kube: Kube, widgets: Widgets) -> None:
    body = widgets.body() | {"status": {"ready": True}}
    assert "status" not in kube.create(widgets.path(), body)
    path = f"{widgets.path()}/w"
    assert "status" not in kube.patch(path, {"status": {"ready": True}})
    changed = kube.patch(f"{path}/status", {"status": {"ready": True}, "spec": {"size": "large"}})
    assert changed["status"] == {"ready": True}
    assert changed["spec"]["size"] == "small"
    assert changed["metadata"]["generation"] == 1
    assert kube.get(f"{path}/status") == changed
    assert kube.patch(path, {"spec": {"size": "large"}})["status"] == {"ready": True}
    changed = kube.get(path)
    changed["status"] = {"ready": False}
    assert kube.send("PUT", f"{path}/status", changed).json()["status"] == {"ready": False}


def test_a_version_without_a_status_of_its_own_writes_both(kube: Kube, widgets: Widgets) -> None:
    path = widgets.path("v1beta1")
    made = kube.create(path, widgets.body(version="v1beta1") | {"status": {"ready": True}})
    assert made["status"] == {"ready": True}
    answer = kube.send("GET", f"{path}/w/status")
    assert answer.status_code == 404


def test_there_is_no_strategic_merge(kube: Kube, widgets: Widgets) -> None:
    kube.create(widgets.path(), widgets.body())
    answer = kube.send(
        "PATCH", f"{widgets.path()}/w", {}, media_type="application/strategic-merge-patch+json"
    )
    assert answer.status_code == 415
    assert MERGE_PATCH in answer.json()["message"]


def test_apply_refuses_undeclared_fields(kube: Kube, widgets: Widgets) -> None:
    path = f"{widgets.path()}/w?fieldManager=me"
    # The schema reaches the apply machinery a little later than the endpoint.
    eventually(lambda: kube.send("PATCH", path, widgets.body(), media_type=APPLY_PATCH).is_success)
    answer = kube.send("PATCH", path, widgets.body(unknown=1), media_type=APPLY_PATCH)
    assert answer.status_code == 500
    assert answer.json()["message"].endswith(".spec.unknown: field not declared in schema")


def test_rights_on_custom_resources_are_rights_like_others(kube: Kube, widgets: Widgets) -> None:
    widgets.namespace.account("app")
    token = widgets.namespace.token("app")
    answer = kube.send("GET", f"{widgets.path()}/w", token=token)
    assert answer.json()["message"].startswith(f'widgets.{widgets.group} "w" is forbidden: User ')
    rules = [{"apiGroups": [widgets.group], "resources": ["widgets"], "verbs": ["get"]}]
    widgets.namespace.allow("app", rules)
    eventually(lambda: kube.send("GET", f"{widgets.path()}/w", token=token).status_code == 404)


def test_deleting_a_definition_deletes_its_objects(kube: Kube, widgets: Widgets) -> None:
    kube.create(widgets.path(), widgets.body())
    deleted = kube.delete(widgets.definition)
    assert deleted["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    eventually(lambda: kube.gone(widgets.definition))
    eventually(lambda: kube.gone(widgets.path()))
    eventually(lambda: kube.gone(f"/apis/{widgets.group}"))
    kube.create(DEFINITIONS, definition(widgets.group))
    eventually(lambda: established(kube, widgets.definition))
    found = eventually(lambda: (a := kube.send("GET", widgets.path())).is_success and a.json())
    assert found["items"] == []


def test_a_definition_that_is_changed_serves_what_it_now_says(kube: Kube, widgets: Widgets) -> None:
    versions = kube.get(widgets.definition)["spec"]["versions"]
    versions[1]["served"] = False
    kube.patch(widgets.definition, {"spec": {"versions": versions}})
    eventually(lambda: kube.gone(widgets.path("v1beta1")))
    assert not kube.gone(widgets.path())


def test_a_definition_has_to_be_complete(kube: Kube) -> None:
    answer = kube.send("POST", DEFINITIONS, {"metadata": {"name": "x.example.com"}})
    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        "metadata.name",
        "spec.group",
        "spec.scope",
        "spec.versions",
        "spec.names.plural",
        "spec.names.singular",
        "spec.names.kind",
        "spec.names.listKind",
        "status.storedVersions",
    ]


def test_a_cluster_scoped_kind_knows_no_namespace(kube: Kube, namespace: Namespace) -> None:
    group = f"test-{uuid4().hex[:8]}.example.com"
    body = definition(group)
    body["spec"]["scope"] = "Cluster"
    namespace.make_in_cluster(DEFINITIONS, body)
    path = f"/apis/{group}/v1"
    eventually(lambda: kube.send("GET", f"{path}/widgets").is_success)
    made = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": "small"},
    }
    assert "namespace" not in kube.create(f"{path}/widgets", made)["metadata"]
    assert kube.send("GET", f"{path}/namespaces/{namespace.name}/widgets").status_code == 404
