"""Server-side apply, the one way here to change a part of an object."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.kubernetes_api import KubernetesApi
from tests.sandbox.kubernetes_api.kube import APPLY_PATCH, Kube, Namespace, connect


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


def test_apply_creates_and_then_changes_nothing(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/applied?fieldManager=me"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    created, again = (kube.send("PATCH", path, body, media_type=APPLY_PATCH) for _ in range(2))
    assert (created.status_code, again.status_code) == (201, 200)
    assert again.json() == created.json()


def test_apply_removes_what_its_manager_no_longer_applies(kube: Kube, namespace: Namespace) -> None:
    me = Applier(kube, namespace, "me")
    me.apply({"a": "1", "b": "2"}, labels={"x": "y"})
    kube.change(me.path, {"data": {"other": "kept"}})
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
    kube.apply(path, {**body, "stringData": {"a": "x"}})
    assert kube.apply(path, {**body, "data": {"b": "eQ=="}})["data"] == {
        "a": "eA==",
        "b": "eQ==",
    }


@pytest.mark.parametrize("media_type", ["application/json-patch+json", "application/merge-patch+json"])
def test_stand_in_serves_no_other_patch(stand_in: KubernetesApi, media_type: str) -> None:
    kube = connect(stand_in.admin_kubeconfig)
    answer = kube.send("PATCH", "/api/v1/namespaces/default", {}, media_type=media_type)
    assert (answer.status_code, answer.json()["reason"]) == (415, "UnsupportedMediaType")
