"""The answers to requests that cannot be done: clients and people read their codes and their words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.kubernetes_api import KubernetesApi
from tests.sandbox.kubernetes_api.kube import APPLY_PATCH, RBAC_GROUP, Kube, Namespace, connect

HERE = "/api/v1/namespaces/{}"
NO_RESOURCE = (404, "NotFound", "the server could not find the requested resource")
NO_METHOD = (405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}
OTHER_NAME = "the name of the object (two) does not match the name on the URL (one)"
OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
OTHER_KIND = (
    'ConfigMap in version "v1" cannot be handled as a Secret: '
    "converting (v1.ConfigMap) to (core.Secret): unknown conversion"
)
NOBODY_APPLIES = (
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
)


def status_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Code, reason and message of a Status."""
    body = answer.json()
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    assert body["code"] == answer.status_code
    return body["code"], body.get("reason", ""), body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/api/v1/nothing", None, NO_RESOURCE),
        ("GET", "/apis/apps/v9", None, NO_RESOURCE),
        ("GET", "/api/v1/namespaces/a/b/c/d/e", None, NO_RESOURCE),
        (
            "POST",
            "/api/v1/namespaces/no-such-one/secrets",
            {"metadata": {"name": "x"}},
            (404, "NotFound", 'namespaces "no-such-one" not found'),
        ),
        ("POST", "/api/v1/secrets", {"metadata": {"name": "x"}}, NO_METHOD),
        ("PUT", "/api/v1/namespaces", {}, NO_METHOD),
        ("PATCH", "/api/v1/secrets", {}, NO_METHOD),
        ("POST", "/version", {}, NO_METHOD),
        ("POST", "/api", {}, NO_METHOD),
        (
            "POST",
            f"{HERE}/configmaps",
            CONFIG_MAP,
            (409, "AlreadyExists", 'configmaps "one" already exists'),
        ),
        (
            "PUT",
            f"{HERE}/configmaps/one",
            {"metadata": {"name": "two"}},
            (400, "BadRequest", OTHER_NAME),
        ),
        (
            "POST",
            f"{HERE}/configmaps",
            {"metadata": {"name": "two", "namespace": "other"}},
            (400, "BadRequest", OTHER_NAMESPACE),
        ),
        ("POST", f"{HERE}/secrets", CONFIG_MAP, (400, "BadRequest", OTHER_KIND)),
        ("PATCH", f"{HERE}/configmaps/one", CONFIG_MAP, (422, "Invalid", NOBODY_APPLIES)),
    ],
)
def test_what_cannot_be_done_is_said_in_a_status(
    kube: Kube,
    namespace: Namespace,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    expected: tuple[int, str, str],
) -> None:
    kube.create(f"{namespace.core}/configmaps", CONFIG_MAP)
    media_type = APPLY_PATCH if method == "PATCH" else "application/json"
    answer = kube.send(method, path.format(namespace.name), body, media_type=media_type)
    assert status_of(answer) == expected


def test_a_missing_object_is_named_in_the_details(kube: Kube, namespace: Namespace) -> None:
    for path, resource, group in ((namespace.core, "secrets", ""), (namespace.rbac, "roles", RBAC_GROUP)):
        answer = kube.send("GET", f"{path}/{resource}/none")
        named = f"{resource}.{group}" if group else resource
        assert status_of(answer) == (404, "NotFound", f'{named} "none" not found')
        details = {"name": "none", "kind": resource} | ({"group": group} if group else {})
        assert answer.json()["details"] == details


@pytest.mark.parametrize("path", ["/nothing", "/apis/no.such.group", "/apis/no.such.group/v1/things"])
def test_an_unknown_group_or_page_is_plain_text(kube: Kube, path: str) -> None:
    answer = kube.send("GET", path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_an_update_from_an_old_version_is_a_conflict(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/configmaps"
    old = kube.create(path, {"metadata": {"name": "shared"}, "data": {"a": "1"}})
    kube.change(f"{path}/shared", {"data": {"b": "2"}})
    answer = kube.send("PUT", f"{path}/shared", old)
    assert status_of(answer) == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "shared": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )
    assert kube.get(f"{path}/shared")["data"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("path", "name", "words"),
    [
        ("/api/v1/namespaces/default/secrets", "Bad_Name", "a lowercase RFC 1123 subdomain must consist of"),
        ("/api/v1/namespaces/default/secrets", "", "name or generateName is required"),
        ("/api/v1/namespaces", "a.b", "must not contain dots"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(kube: Kube, path: str, name: str, words: str) -> None:
    answer = kube.send("POST", path, {"metadata": {"name": name}})
    code, reason, message = status_of(answer)
    assert (code, reason) == (422, "Invalid")
    assert f' "{name}" is invalid: metadata.name: ' in message
    assert words in message
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == ["metadata.name"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\x00"])
def test_a_body_that_is_no_object_is_refused(kube: Kube, namespace: Namespace, body: bytes) -> None:
    answer = kube.send("POST", f"{namespace.core}/secrets", body)
    assert status_of(answer)[:2] == (400, "BadRequest")
    assert answer.json()["message"].startswith("the object provided is unrecognized (must be of type Secret)")


def test_a_media_type_that_is_not_read_is_refused(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("POST", f"{namespace.core}/configmaps", b"x", media_type="text/plain")
    assert status_of(answer)[:2] == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json" in answer.json()["message"]


@pytest.mark.parametrize("query", ["dryRun=All", "watch=true"])
def test_stand_in_refuses_what_it_does_not_serve(stand_in: KubernetesApi, query: str) -> None:
    kube = connect(stand_in.admin_kubeconfig)
    answer = kube.send("POST" if "dry" in query else "GET", f"/api/v1/namespaces?{query}", {})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_stand_in_does_not_repeat_a_body_that_it_cannot_read(stand_in: KubernetesApi) -> None:
    kube = connect(stand_in.admin_kubeconfig)
    answer = kube.send("POST", "/api/v1/namespaces/default/secrets", b'{"data": "c2VudGluZWw=')
    assert answer.status_code == 400
    assert "c2VudGluZWw" not in answer.text
