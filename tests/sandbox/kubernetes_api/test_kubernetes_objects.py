"""Objects through their life: what is stored, what is listed, what a write changes and what it does not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import Kube, Namespace


def names(listed: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def test_an_object_gets_its_metadata_from_the_server(kube: Kube, namespace: Namespace) -> None:
    given = {"name": "one", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "labels": {"a": "b"}}
    made = kube.create(f"{namespace.core}/configmaps", {"metadata": given, "data": {"k": "v"}})
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
    metadata = made["metadata"]
    assert metadata["labels"] == {"a": "b"}
    assert metadata["namespace"] == namespace.name
    assert metadata["uid"] != "mine"
    assert not metadata["creationTimestamp"].startswith("2001")
    assert int(metadata["resourceVersion"]) > 0
    assert kube.get(f"{namespace.core}/configmaps/one") == made


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/same"
    made = kube.create(f"{namespace.core}/configmaps", {"metadata": {"name": "same"}, "data": {"k": "v"}})
    assert kube.change(path, {"data": {"k": "v"}}) == made
    changed = kube.change(path, {"data": {"k": "w"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_an_update_replaces_the_whole(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    old = kube.create(path, {"metadata": {"name": "one", "labels": {"a": "b"}}, "data": {"k": "v"}})
    answer = kube.send("PUT", f"{path}/one", {"metadata": {"name": "one"}, "data": {"n": "w"}})
    assert answer.status_code == 200
    new = answer.json()
    assert new["data"] == {"n": "w"}
    assert "labels" not in new["metadata"]
    assert new["metadata"]["uid"] == old["metadata"]["uid"]


def test_fields_that_a_kind_does_not_have_are_dropped(kube: Kube, namespace: Namespace) -> None:
    body = {"metadata": {"name": "one"}, "data": {"k": "v"}, "spec": {"x": 1}}
    assert "spec" not in kube.create(f"{namespace.core}/configmaps", body)


@pytest.mark.parametrize(
    ("body", "found", "field"),
    [
        ({"data": "text"}, "string", "data"),
        ({"data": {"k": 1}}, "number", "data"),
        ({"metadata": {"name": "x", "labels": {"on": True}}}, "bool", "metadata.labels"),
        ({"metadata": []}, "array", "metadata"),
    ],
)
def test_a_value_of_a_wrong_type_makes_the_request_unreadable(
    kube: Kube, namespace: Namespace, body: dict[str, Any], found: str, field: str
) -> None:
    answer = kube.send("POST", f"{namespace.core}/configmaps", {"metadata": {"name": "x"}, **body})
    assert answer.status_code == 400
    assert f"json: cannot unmarshal {found} into Go struct field " in answer.json()["message"]
    assert f"{field} of type " in answer.json()["message"]


def test_lists_are_selected_by_label_and_by_field(kube: Kube, namespace: Namespace) -> None:
    for name, labels in (("one", {"env": "a"}), ("two", {"env": "b", "tier": "x"}), ("three", {})):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": name, "labels": labels}})
        involved = {"kind": "SecretStore", "name": name, "namespace": namespace.name}
        event = {"metadata": {"name": name}, "involvedObject": involved, "reason": "R", "message": "m"}
        kube.create(f"{namespace.core}/events", event)
    by_label = {"env=b": ["two"], "env==b,tier=x": ["two"], "env=a,tier=x": [], "env=nothing": []}
    for selector, expected in by_label.items():
        assert names(kube.get(f"{namespace.core}/secrets?labelSelector={selector}")) == expected
    by_field = {
        "secrets?fieldSelector=metadata.name=one": ["one"],
        "events?fieldSelector=involvedObject.kind=SecretStore,involvedObject.name=two": ["two"],
    }
    for query, expected in by_field.items():
        assert names(kube.get(f"{namespace.core}/{query}")) == expected
    answer = kube.send("GET", f"{namespace.core}/secrets?fieldSelector=data.x=y")
    assert (answer.status_code, answer.json()["message"]) == (400, "field label not supported: data.x")


def test_all_namespaces_are_listed_together(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "mine"}})
    listed = kube.get("/api/v1/secrets")
    assert listed["kind"] == "SecretList"
    assert (namespace.name, "mine") in [
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in listed["items"]
    ]


def test_a_list_is_cut_at_its_limit_and_says_what_is_left(kube: Kube, namespace: Namespace) -> None:
    for number in range(3):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": f"s{number}"}})
    found = kube.get(f"{namespace.core}/secrets?limit=2")
    assert (names(found), found["metadata"]["remainingItemCount"]) == (["s0", "s1"], 1)


def test_a_finalizer_holds_a_deleted_object(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/held"
    finalizers = ["example.com/hold"]
    kube.create(f"{namespace.core}/configmaps", {"metadata": {"name": "held", "finalizers": finalizers}})
    assert kube.delete(path)["metadata"]["deletionTimestamp"]
    assert kube.get(path)["metadata"]["finalizers"] == finalizers
    kube.change(path, {"metadata": {"finalizers": None}})
    assert kube.gone(path)


def test_deleting_says_what_was_deleted(kube: Kube, namespace: Namespace) -> None:
    made = kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "s"}})
    assert kube.delete(f"{namespace.core}/secrets/s") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "s", "kind": "secrets", "uid": made["metadata"]["uid"]},
    }
    namespace.account("a")
    assert kube.delete(f"{namespace.core}/serviceaccounts/a")["kind"] == "ServiceAccount"


# Secrets and ConfigMaps


def test_string_data_becomes_data(kube: Kube, namespace: Namespace) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"a": "text"}, "data": {"b": "Yg=="}}
    made = kube.create(f"{namespace.core}/secrets", body)
    assert made["data"] == {"a": base64.b64encode(b"text").decode(), "b": "Yg=="}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


def test_data_of_a_secret_has_to_be_base64(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("POST", f"{namespace.core}/secrets", {"metadata": {"name": "s"}, "data": {"a": "%"}})
    assert answer.status_code == 400
    assert "illegal base64 data at input byte 0" in answer.json()["message"]


def test_the_type_of_a_secret_never_changes(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "s"}})
    answer = kube.send("PUT", f"{namespace.core}/secrets/s", {"metadata": {"name": "s"}, "type": "other"})
    assert answer.status_code == 422
    assert (
        'Secret "s" is invalid: type: Invalid value: "other": field is immutable' in answer.json()["message"]
    )


# Namespaces


def test_a_namespace_gets_a_default_account(kube: Kube, namespace: Namespace) -> None:
    eventually(lambda: not kube.gone(f"{namespace.core}/serviceaccounts/default"))
    found = kube.get(f"/api/v1/namespaces/{namespace.name}")
    assert found["status"] == {"phase": "Active"}
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace.name}


def test_no_secret_comes_with_an_account(kube: Kube, namespace: Namespace) -> None:
    namespace.account("app")
    namespace.token_secret("app", "asked-for")
    assert names(kube.get(f"{namespace.core}/secrets")) == ["asked-for"]


def test_deleting_a_namespace_deletes_what_is_in_it(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "s"}})
    namespace.allow("default", [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    answer = kube.delete(f"/api/v1/namespaces/{namespace.name}")
    assert answer["status"]["phase"] == "Terminating"
    eventually(lambda: kube.gone(f"/api/v1/namespaces/{namespace.name}"))
    kube.create("/api/v1/namespaces", {"metadata": {"name": namespace.name}})
    assert kube.get(f"{namespace.core}/secrets")["items"] == []
    assert kube.get(f"{namespace.rbac}/rolebindings")["items"] == []


def test_nothing_new_comes_into_a_namespace_that_ends(kube: Kube, namespace: Namespace) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    kube.create(f"{namespace.core}/configmaps", held)
    kube.delete(f"/api/v1/namespaces/{namespace.name}")
    answer = kube.send("POST", f"{namespace.core}/secrets", {"metadata": {"name": "late"}})
    assert answer.status_code == 403
    words = f"unable to create new content in namespace {namespace.name} because it is being terminated"
    assert answer.json()["message"] == f'secrets "late" is forbidden: {words}'
    assert answer.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert not kube.gone(f"/api/v1/namespaces/{namespace.name}")
    kube.change(f"{namespace.core}/configmaps/held", {"metadata": {"finalizers": None}})
    eventually(lambda: kube.gone(f"/api/v1/namespaces/{namespace.name}"))
