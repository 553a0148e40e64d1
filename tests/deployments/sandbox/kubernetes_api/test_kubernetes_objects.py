"""Objects through their life: what is stored, what is listed, what a write changes and what it does not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import kubernetes.client
import pytest
from kubernetes.client import V1ConfigMap, V1ObjectMeta

from tests.deployments.sandbox.kubernetes_api.kube import Kube, Namespace, eventually


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


def test_a_name_can_be_generated(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    body = {"metadata": {"generateName": "part-"}}
    made = {kube.create(path, body)["metadata"]["name"] for _ in range(3)}
    assert len(made) == 3
    assert all(name.startswith("part-") and len(name) == 10 for name in made)


def test_a_dry_run_stores_nothing(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    shown = kube.create(f"{path}?dryRun=All", {"metadata": {"name": "ghost"}})
    assert shown["metadata"]["uid"]
    assert kube.gone(f"{path}/ghost")
    kube.create(path, {"metadata": {"name": "real"}, "data": {"k": "v"}})
    assert kube.patch(f"{path}/real?dryRun=All", {"data": {"k": "w"}})["data"] == {"k": "w"}
    assert kube.delete(f"{path}/real?dryRun=All")["status"] == "Success"
    assert kube.get(f"{path}/real")["data"] == {"k": "v"}


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/same"
    made = kube.create(f"{namespace.core}/configmaps", {"metadata": {"name": "same"}, "data": {"k": "v"}})
    assert kube.patch(path, {"data": {"k": "v"}}) == made
    changed = kube.patch(path, {"data": {"k": "w"}})
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


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("env=a", ["one"]),
        ("env==a", ["one"]),
        ("env!=a", ["three", "two"]),
        ("env", ["one", "two"]),
        ("!env", ["three"]),
        ("env in (a, b)", ["one", "two"]),
        ("env notin (a)", ["three", "two"]),
        ("env,tier=x", ["two"]),
        ("env=nothing", []),
    ],
)
def test_lists_are_selected_by_label(
    kube: Kube, namespace: Namespace, selector: str, expected: list[str]
) -> None:
    for name, labels in (("one", {"env": "a"}), ("two", {"env": "b", "tier": "x"}), ("three", {})):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": name, "labels": labels}})
    answer = kube.send("GET", f"{namespace.core}/secrets?labelSelector={selector}")
    assert names(answer.json()) == expected


def test_lists_are_selected_by_field(kube: Kube, namespace: Namespace) -> None:
    for name in ("one", "two"):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": name}, "type": f"kind/{name}"})
    path = f"{namespace.core}/secrets?fieldSelector="
    assert names(kube.get(f"{path}metadata.name=one")) == ["one"]
    assert names(kube.get(f"{path}metadata.name!=one")) == ["two"]
    assert names(kube.get(f"{path}type=kind/two,metadata.namespace={namespace.name}")) == ["two"]
    answer = kube.send("GET", f"{path}data.x=y")
    assert (answer.status_code, answer.json()["message"]) == (400, "field label not supported: data.x")


def test_all_namespaces_are_listed_together(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "mine"}})
    listed = kube.get("/api/v1/secrets")
    assert listed["kind"] == "SecretList"
    assert (namespace.name, "mine") in [
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in listed["items"]
    ]


def test_a_long_list_comes_in_pages(kube: Kube, namespace: Namespace) -> None:
    for number in range(5):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": f"s{number}"}})
    first = kube.get(f"{namespace.core}/secrets?limit=2")
    assert names(first) == ["s0", "s1"]
    assert first["metadata"]["remainingItemCount"] == 3
    second = kube.get(f"{namespace.core}/secrets?limit=2&continue={first['metadata']['continue']}")
    last = kube.get(f"{namespace.core}/secrets?limit=2&continue={second['metadata']['continue']}")
    assert names(second) + names(last) == ["s2", "s3", "s4"]
    assert not last["metadata"].get("continue")
    assert kube.send("GET", f"{namespace.core}/secrets?limit=2&continue=broken").status_code == 400


def test_a_finalizer_holds_a_deleted_object(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/held"
    finalizers = ["example.com/hold"]
    kube.create(f"{namespace.core}/configmaps", {"metadata": {"name": "held", "finalizers": finalizers}})
    assert kube.delete(path)["metadata"]["deletionTimestamp"]
    assert kube.get(path)["metadata"]["finalizers"] == finalizers
    kube.patch(path, {"metadata": {"finalizers": None}})
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


def test_a_selection_is_deleted_at_once(kube: Kube, namespace: Namespace) -> None:
    for name, label in (("one", "x"), ("two", "y"), ("three", "x")):
        kube.create(f"{namespace.core}/secrets", {"metadata": {"name": name, "labels": {"l": label}}})
    kube.delete(f"{namespace.core}/secrets?labelSelector=l=x")
    assert names(kube.get(f"{namespace.core}/secrets")) == ["two"]


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


def test_the_keys_of_data_are_checked(kube: Kube, namespace: Namespace) -> None:
    body = {"metadata": {"name": "c"}, "data": {"a/b": ""}}
    answer = kube.send("POST", f"{namespace.core}/configmaps", body)
    assert answer.status_code == 422
    assert "data[a/b]: Invalid value" in answer.json()["message"]


def test_the_type_of_a_secret_never_changes(kube: Kube, namespace: Namespace) -> None:
    kube.create(f"{namespace.core}/secrets", {"metadata": {"name": "s"}})
    answer = kube.send("PUT", f"{namespace.core}/secrets/s", {"metadata": {"name": "s"}, "type": "other"})
    assert answer.status_code == 422
    assert (
        'Secret "s" is invalid: type: Invalid value: "other": field is immutable' in answer.json()["message"]
    )


@pytest.mark.parametrize("change", [{"data": {"a": "Yg=="}}, {"immutable": False}])
def test_an_immutable_secret_stays_as_it_is(kube: Kube, namespace: Namespace, change: dict[str, Any]) -> None:
    path = f"{namespace.core}/secrets"
    kube.create(path, {"metadata": {"name": "s"}, "immutable": True, "data": {"a": "YQ=="}})
    answer = kube.send("PATCH", f"{path}/s", change, media_type="application/merge-patch+json")
    assert answer.status_code == 422
    assert "field is immutable when `immutable` is set" in answer.json()["message"]
    kube.patch(f"{path}/s", {"metadata": {"labels": {"still": "allowed"}}})


def test_events_are_found_by_their_object(kube: Kube, namespace: Namespace) -> None:
    for name in ("one", "two"):
        involved = {"kind": "SecretStore", "name": name, "namespace": namespace.name}
        body = {"metadata": {"name": f"e-{name}"}, "involvedObject": involved, "reason": "R", "message": "m"}
        kube.create(f"{namespace.core}/events", body)
    path = f"{namespace.core}/events?fieldSelector=involvedObject.kind=SecretStore,involvedObject.name=two"
    assert names(kube.get(path)) == ["e-two"]


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
    kube.patch(f"{namespace.core}/configmaps/held", {"metadata": {"finalizers": None}})
    eventually(lambda: kube.gone(f"/api/v1/namespaces/{namespace.name}"))


def test_the_official_client_does_all_of_it(kube: Kube, namespace: Namespace) -> None:
    with kube.api_client() as connection:
        core = kubernetes.client.CoreV1Api(connection)
        made = V1ConfigMap(metadata=V1ObjectMeta(name="c"), data={"k": "v"})
        core.create_namespaced_config_map(namespace.name, made)
        core.patch_namespaced_config_map("c", namespace.name, {"data": {"n": "w"}})
        found = core.read_namespaced_config_map("c", namespace.name)
        assert found.data == {"k": "v", "n": "w"}
        found.data = {"only": "this"}
        assert core.replace_namespaced_config_map("c", namespace.name, found).data == {"only": "this"}
        listed = core.list_namespaced_config_map(namespace.name, field_selector="metadata.name=c")
        assert [item.metadata and item.metadata.name for item in listed.items] == ["c"]
        with pytest.raises(kubernetes.client.ApiException) as stale:
            core.replace_namespaced_config_map("c", namespace.name, found)
        assert stale.value.status == 409
        core.delete_namespaced_config_map("c", namespace.name)
    assert kube.gone(f"{namespace.core}/configmaps/c")


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"app": "d"}},
        "template": {
            "metadata": {"labels": {"app": "d"}},
            "spec": {"containers": [{"name": "c", "image": "example.com/c:1"}]},
        },
    },
}


def test_a_new_specification_is_a_new_generation(kube: Kube, namespace: Namespace) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace.name}/deployments"
    generation: Callable[[dict[str, Any]], int] = lambda item: item["metadata"]["generation"]  # noqa: E731
    assert generation(kube.create(path, DEPLOYMENT)) == 1
    assert generation(kube.patch(f"{path}/d", {"metadata": {"labels": {"a": "b"}}})) == 1
    assert generation(kube.patch(f"{path}/d/status", {"status": {"observedGeneration": 1}})) == 1
    assert generation(kube.patch(f"{path}/d", {"spec": {"paused": True}})) == 2
