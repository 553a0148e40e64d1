"""The answers to requests that cannot be done: clients and people read their codes and their words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from deployments.sandbox.kubernetes_api import KubernetesApi
from tests.deployments.sandbox.kubernetes_api.kube import APPLY_PATCH, MERGE_PATCH, Kube, Namespace, connect


def status_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Code, reason and message of a Status."""
    body = answer.json()
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert body["code"] == answer.status_code
    return body["code"], body.get("reason", ""), body["message"]


def test_a_missing_object_is_named_in_the_details(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("GET", f"{namespace.core}/secrets/none")
    assert status_of(answer) == (404, "NotFound", 'secrets "none" not found')
    assert answer.json()["details"] == {"name": "none", "kind": "secrets"}

    answer = kube.send("GET", f"{namespace.rbac}/roles/none")
    assert status_of(answer)[2] == 'roles.rbac.authorization.k8s.io "none" not found'
    assert answer.json()["details"] == {
        "name": "none",
        "group": "rbac.authorization.k8s.io",
        "kind": "roles",
    }


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/apis/apps/v9", "/api/v1/namespaces/a/b/c/d/e"])
def test_an_unknown_resource_of_a_known_group_is_a_status(kube: Kube, path: str) -> None:
    answer = kube.send("GET", path)
    assert status_of(answer) == (404, "NotFound", "the server could not find the requested resource")


@pytest.mark.parametrize("path", ["/nothing", "/apis/no.such.group", "/apis/no.such.group/v1/things"])
def test_an_unknown_group_or_page_is_plain_text(kube: Kube, path: str) -> None:
    answer = kube.send("GET", path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_a_namespaced_object_needs_its_namespace(kube: Kube) -> None:
    answer = kube.send("POST", "/api/v1/namespaces/no-such-one/secrets", {"metadata": {"name": "x"}})
    assert status_of(answer) == (404, "NotFound", 'namespaces "no-such-one" not found')
    answer = kube.send("POST", "/api/v1/secrets", {"metadata": {"name": "x"}})
    assert answer.status_code == 405
    assert kube.get("/api/v1/namespaces/no-such-one/secrets")["items"] == []


def test_what_exists_cannot_be_created_again(kube: Kube, namespace: Namespace) -> None:
    body = {"metadata": {"name": "here"}}
    kube.create(f"{namespace.core}/secrets", body)
    answer = kube.send("POST", f"{namespace.core}/secrets", body)
    assert status_of(answer) == (409, "AlreadyExists", 'secrets "here" already exists')


def test_an_update_from_an_old_version_is_a_conflict(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    old = kube.create(path, {"metadata": {"name": "shared"}, "data": {"a": "1"}})
    kube.patch(f"{path}/shared", {"data": {"b": "2"}})
    answer = kube.send("PUT", f"{path}/shared", old)
    assert status_of(answer) == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "shared": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )
    assert kube.get(f"{path}/shared")["data"] == {"a": "1", "b": "2"}


def test_a_patch_that_names_an_old_version_is_a_conflict(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    old = kube.create(path, {"metadata": {"name": "shared"}})["metadata"]["resourceVersion"]
    kube.patch(f"{path}/shared", {"data": {"a": "1"}})
    change = {"metadata": {"resourceVersion": old}, "data": {"a": "2"}}
    answer = kube.send("PATCH", f"{path}/shared", change, media_type=MERGE_PATCH)
    assert status_of(answer)[:2] == (409, "Conflict")


def test_a_delete_for_another_uid_deletes_nothing(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps/kept"
    kube.create(f"{namespace.core}/configmaps", {"metadata": {"name": "kept"}})
    answer = kube.send("DELETE", path, {"preconditions": {"uid": "another"}})
    assert status_of(answer)[:2] == (409, "Conflict")
    assert "the UID in the precondition (another) does not match" in answer.json()["message"]
    assert not kube.gone(path)


INVALID: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("secrets", "Bad_Name", {}, "metadata.name", "a lowercase RFC 1123 subdomain must consist of"),
    ("secrets", "", {}, "metadata.name", "name or generateName is required"),
    ("secrets", "x", {"labels": {"a": "b c"}}, "metadata.labels", "a valid label must be"),
    ("secrets", "x", {"labels": {"a b": "c"}}, "metadata.labels", "name part must consist of"),
    ("secrets", "x", {"annotations": {"a b": ""}}, "metadata.annotations", "name part must consist of"),
]


@pytest.mark.parametrize(("resource", "name", "metadata", "field", "words"), INVALID)
def test_what_is_wrong_with_the_metadata_is_said(
    kube: Kube,
    namespace: Namespace,
    resource: str,
    name: str,
    metadata: dict[str, Any],
    field: str,
    words: str,
) -> None:
    body = {"metadata": {"name": name, **metadata}}
    answer = kube.send("POST", f"{namespace.core}/{resource}", body)
    code, reason, message = status_of(answer)
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(f'Secret "{name}" is invalid: {field}: ')
    assert words in message
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [field]


def test_the_name_of_a_namespace_is_a_label(kube: Kube) -> None:
    answer = kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": "a.b"}})
    assert status_of(answer)[0] == 422
    assert "must not contain dots" in answer.json()["message"]


def test_the_name_in_the_body_has_to_be_the_one_in_the_path(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    kube.create(path, {"metadata": {"name": "one"}})
    answer = kube.send("PUT", f"{path}/one", {"metadata": {"name": "two"}})
    words = "the name of the object (two) does not match the name on the URL (one)"
    assert status_of(answer) == (400, "BadRequest", words)
    answer = kube.send("POST", path, {"metadata": {"name": "two", "namespace": "other"}})
    words = "the namespace of the provided object does not match the namespace sent on the request"
    assert status_of(answer) == (400, "BadRequest", words)


def test_an_object_of_another_kind_is_refused(kube: Kube, namespace: Namespace) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    answer = kube.send("POST", f"{namespace.core}/secrets", body)
    assert status_of(answer) == (
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a Secret: '
        "converting (v1.ConfigMap) to (core.Secret): unknown conversion",
    )


@pytest.mark.parametrize("body", [b"{", b"[]", b"\x00"])
def test_a_body_that_is_no_object_is_refused(kube: Kube, namespace: Namespace, body: bytes) -> None:
    answer = kube.send("POST", f"{namespace.core}/secrets", body)
    assert status_of(answer)[:2] == (400, "BadRequest")
    assert answer.json()["message"].startswith("the object provided is unrecognized (must be of type Secret)")


def test_a_media_type_that_is_not_read_is_refused(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    kube.create(path, {"metadata": {"name": "one"}})
    answer = kube.send("POST", path, b"x", media_type="text/plain")
    assert status_of(answer)[:2] == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json, application/yaml" in answer.json()["message"]
    answer = kube.send("PATCH", f"{path}/one", {})
    assert status_of(answer) == (415, "UnsupportedMediaType", "415: Unsupported Media Type")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/v1/namespaces"), ("PATCH", "/api/v1/secrets"), ("POST", "/version"), ("POST", "/api")],
)
def test_a_method_that_is_not_there_is_405(kube: Kube, method: str, path: str) -> None:
    answer = kube.send(method, path, {})
    words = "the server does not allow this method on the requested resource"
    assert status_of(answer) == (405, "MethodNotAllowed", words)


def test_apply_needs_to_know_who_applies(kube: Kube, namespace: Namespace) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    answer = kube.send("PATCH", f"{namespace.core}/configmaps/x", body, media_type=APPLY_PATCH)
    words = (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )
    assert status_of(answer) == (422, "Invalid", words)


def test_a_dry_run_is_all_or_an_error(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("POST", f"{namespace.core}/secrets?dryRun=Some", {"metadata": {"name": "x"}})
    assert status_of(answer)[:2] == (422, "Invalid")


def test_stand_in_does_not_repeat_a_body_that_it_cannot_read(stand_in: KubernetesApi) -> None:
    kube = connect(stand_in.admin_kubeconfig)
    answer = kube.send("POST", "/api/v1/namespaces/default/secrets", b'{"data": "c2VudGluZWw=')
    assert answer.status_code == 400
    assert "c2VudGluZWw" not in answer.text
