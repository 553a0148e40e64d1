"""CustomResourceDefinitions: making one makes its kinds served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import (
    Kube,
    Namespace,
)

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ALL = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass
class Widgets:
    """A custom resource of its own for one test."""

    kube: Kube
    namespace: Namespace
    group: str
    definition: str

    def path(self, version: str = "v1") -> str:
        """Of the resource in the test's namespace."""
        return f"/apis/{self.group}/{version}/namespaces/{self.namespace.name}/widgets"

    def body(self, version: str = "v1", size: str = "small") -> dict[str, Any]:
        """An object."""
        identity = {"apiVersion": f"{self.group}/{version}", "kind": "Widget"}
        return identity | {"metadata": {"name": "w"}, "spec": {"size": size}}


def definition(group: str) -> dict[str, Any]:
    """Served in two versions, of which only v1 has a status of its own; a third one is not served."""
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    versions: list[dict[str, Any]] = [
        {"name": name, "served": served, "storage": name == "v1", "schema": {"openAPIV3Schema": ALL}}
        for name, served in (("v1", True), ("v1beta1", True), ("v1alpha1", False))
    ]
    versions[0]["subresources"] = {"status": {}}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
    return {"metadata": {"name": f"widgets.{group}"}, "spec": spec}


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
    names = definition("")["spec"]["names"] | {"singular": "widget", "listKind": "WidgetList"}
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
    assert set(resources["widgets/status"]["verbs"]) >= {"get", "update"}
    names = [item["name"] for item in kube.get(f"/apis/{widgets.group}/v1beta1")["resources"]]
    assert names == ["widgets"]
    assert kube.gone(widgets.path("v1alpha1")), "it is declared, and not served"


def test_an_object_is_seen_in_every_version(kube: Kube, widgets: Widgets) -> None:
    made = kube.create(widgets.path("v1beta1"), widgets.body(version="v1beta1"))
    assert made["apiVersion"] == f"{widgets.group}/v1beta1"
    seen = kube.get(f"{widgets.path()}/w")
    assert seen == made | {"apiVersion": f"{widgets.group}/v1"}
    kube.delete(f"{widgets.path()}/w")
    assert kube.gone(f"{widgets.path('v1beta1')}/w")


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
    assert kube.send("PUT", f"{widgets.path()}/w", made).json()["spec"] == made["spec"]


def test_the_status_is_written_by_itself(kube: Kube, widgets: Widgets) -> None:
    body = widgets.body() | {"status": {"ready": True}}
    assert "status" not in kube.create(widgets.path(), body)
    path = f"{widgets.path()}/w"
    assert "status" not in kube.change(path, {"status": {"ready": True}})
    changed = kube.change(f"{path}/status", {"status": {"ready": True}, "spec": {"size": "large"}})
    assert changed["status"] == {"ready": True}
    assert changed["spec"]["size"] == "small"
    assert kube.get(f"{path}/status") == changed
    assert kube.change(path, {"spec": {"size": "large"}})["status"] == {"ready": True}
    changed = kube.get(path)
    changed["status"] = {"ready": False}
    assert kube.send("PUT", f"{path}/status", changed).json()["status"] == {"ready": False}


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
    kube.change(widgets.definition, {"spec": {"versions": versions}})
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
    made = Widgets(kube, namespace, group, "").body()
    assert "namespace" not in kube.create(f"{path}/widgets", made)["metadata"]
    assert kube.send("GET", f"{path}/namespaces/{namespace.name}/widgets").status_code == 404
