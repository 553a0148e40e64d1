"""The four ways to change a part of an object."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployments.sandbox.kubernetes_api.kube import APPLY_PATCH, Kube, Namespace

JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture
def config(kube: Kube, namespace: Namespace) -> str:
    """Path of a ConfigMap with the data ``{"a": "1", "b": "2"}``."""
    body = {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}
    kube.create(f"{namespace.core}/configmaps", body)
    return f"{namespace.core}/configmaps/c"


def test_a_merge_patch_sets_and_removes(kube: Kube, config: str) -> None:
    assert kube.patch(config, {"data": {"a": None, "c": "3"}})["data"] == {"b": "2", "c": "3"}


def test_a_json_patch_runs_its_operations_in_order(kube: Kube, config: str) -> None:
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "move", "from": "/data/a", "path": "/data/x"},
        {"op": "replace", "path": "/data/b", "value": "22"},
    ]
    assert kube.patch(config, operations, JSON_PATCH)["data"] == {"x": "1", "b": "22"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "remove", "path": "/data/none"},
        {"op": "no-such-operation"},
    ],
)
def test_a_json_patch_that_does_not_fit_changes_nothing(
    kube: Kube, config: str, operation: dict[str, Any]
) -> None:
    first = {"op": "add", "path": "/data/c", "value": "3"}
    answer = kube.send("PATCH", config, [first, operation], media_type=JSON_PATCH)
    assert answer.status_code == 422
    assert kube.get(config)["data"] == {"a": "1", "b": "2"}


def test_a_patch_cannot_rename(kube: Kube, namespace: Namespace, config: str) -> None:
    for change in ({"metadata": {"name": "other"}}, {"metadata": {"namespace": "other"}}):
        answer = kube.send("PATCH", config, change, media_type="application/merge-patch+json")
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert kube.gone(f"{namespace.core}/configmaps/other")


@pytest.mark.parametrize("change", [{"kind": "Secret"}, {"apiVersion": "v2"}, {"data": {"n": 5}}])
def test_a_patch_cannot_make_another_kind_of_thing(kube: Kube, config: str, change: dict[str, Any]) -> None:
    answer = kube.send("PATCH", config, change, media_type="application/merge-patch+json")
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


def test_what_the_server_sets_survives_a_patch(kube: Kube, config: str) -> None:
    before = kube.get(config)["metadata"]
    change = {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9, "labels": {"a": "b"}}
    after = kube.patch(config, {"metadata": change})["metadata"]
    assert after["creationTimestamp"] == before["creationTimestamp"]
    assert "generation" not in after
    answer = kube.send("PATCH", config, {"metadata": {"uid": "x"}}, media_type="application/merge-patch+json")
    assert "metadata.uid: Invalid value" in answer.json()["message"]


def test_a_strategic_patch_joins_lists_by_their_key(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/serviceaccounts/app"
    body = {"metadata": {"name": "app"}, "secrets": [{"name": "one"}], "imagePullSecrets": [{"name": "a"}]}
    kube.create(f"{namespace.core}/serviceaccounts", body)
    kube.patch(path, {"secrets": [{"name": "two"}], "imagePullSecrets": [{"name": "b"}]}, STRATEGIC)
    found = kube.get(path)
    assert sorted(item["name"] for item in found["secrets"]) == ["one", "two"]
    assert found["imagePullSecrets"] == [{"name": "b"}]
    found = kube.patch(path, {"secrets": [{"name": "one", "$patch": "delete"}]}, STRATEGIC)
    assert found["secrets"] == [{"name": "two"}]


def test_a_strategic_patch_unites_finalizers(kube: Kube, config: str) -> None:
    kube.patch(config, {"metadata": {"finalizers": ["a.com/one"]}}, STRATEGIC)
    found = kube.patch(config, {"metadata": {"finalizers": ["a.com/two"]}}, STRATEGIC)
    assert sorted(found["metadata"]["finalizers"]) == ["a.com/one", "a.com/two"]
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.com/one", "a.com/two"]}}
    assert "finalizers" not in kube.patch(config, gone, STRATEGIC)["metadata"]


# Server-side apply


class Applier:
    """A field manager that applies a ConfigMap."""

    def __init__(self, kube: Kube, namespace: Namespace, manager: str) -> None:
        self._kube = kube
        self.path = f"{namespace.core}/configmaps/applied"
        self._query = f"?fieldManager={manager}"

    def apply(self, data: dict[str, str], options: str = "", **metadata: Any) -> Any:
        """Apply, and return the object, or the answer when it is a refusal."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "applied", **metadata},
            "data": data,
        }
        answer = self._kube.send("PATCH", f"{self.path}{self._query}{options}", body, media_type=APPLY_PATCH)
        return answer.json() if answer.is_success else answer


def test_apply_creates_and_then_changes(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/applied?fieldManager=me"
    document = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  day: '2020-01-01'\n"
    created = kube.send("PATCH", path, document.encode(), media_type=APPLY_PATCH)
    assert (created.status_code, created.json()["data"]) == (201, {"day": "2020-01-01"})
    again = kube.send("PATCH", path, document.encode(), media_type=APPLY_PATCH)
    assert again.status_code == 200
    assert again.json()["metadata"]["resourceVersion"] == created.json()["metadata"]["resourceVersion"]


def test_apply_removes_what_its_manager_no_longer_applies(kube: Kube, namespace: Namespace) -> None:
    me = Applier(kube, namespace, "me")
    me.apply({"a": "1", "b": "2"}, labels={"x": "y"})
    kube.patch(me.path, {"data": {"other": "kept"}})
    found = me.apply({"a": "1"})
    assert found["data"] == {"a": "1", "other": "kept"}
    assert "labels" not in found["metadata"]


def test_apply_leaves_what_another_manager_applies_too(kube: Kube, namespace: Namespace) -> None:
    me, other = Applier(kube, namespace, "me"), Applier(kube, namespace, "other")
    me.apply({"a": "1", "b": "2"})
    other.apply({"b": "2", "c": "3"})
    assert me.apply({"a": "1"})["data"] == {"a": "1", "b": "2", "c": "3"}


def test_apply_takes_no_field_from_another_manager(kube: Kube, namespace: Namespace) -> None:
    me, other = Applier(kube, namespace, "me"), Applier(kube, namespace, "other")
    me.apply({"a": "1"})
    refused = other.apply({"a": "2"})
    assert refused.status_code == 409
    assert refused.json()["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.a'
    assert refused.json()["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    assert other.apply({"a": "2"}, "&force=true")["data"] == {"a": "2"}
    # The field has changed hands: leaving it out is no longer up to the first one.
    assert me.apply({"mine": "x"})["data"] == {"a": "2", "mine": "x"}


def test_apply_takes_no_undeclared_field(kube: Kube, namespace: Namespace) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "spec": {}}
    path = f"{namespace.core}/configmaps/c"
    answer = kube.send("PATCH", f"{path}?fieldManager=me", body, media_type=APPLY_PATCH)
    assert answer.status_code == 500
    words = (
        "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .spec: field not declared in schema"
    )
    assert answer.json()["message"] == words
    assert kube.gone(path)


@pytest.mark.parametrize("change", [{"kind": None}, {"kind": "Secret"}, {"apiVersion": None}])
def test_apply_needs_the_kind_of_the_place(
    kube: Kube, namespace: Namespace, change: dict[str, str | None]
) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}} | change
    path = f"{namespace.core}/configmaps/c?fieldManager=me"
    answer = kube.send("PATCH", path, body, media_type=APPLY_PATCH)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid object type: ")


def test_apply_of_string_data_keeps_the_data(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/secrets/s?fieldManager=me"
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    kube.patch(path, {**body, "stringData": {"a": "x"}}, APPLY_PATCH)
    assert kube.patch(path, {**body, "data": {"b": "eQ=="}}, APPLY_PATCH)["data"] == {
        "a": "eA==",
        "b": "eQ==",
    }
