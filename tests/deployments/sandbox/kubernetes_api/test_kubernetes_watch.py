"""Watching: what changes from a given moment on, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import kubernetes.watch
import pytest

from deployments.sandbox.kubernetes_api import KubernetesApi
from tests.deployments.sandbox.kubernetes_api.kube import Kube, Namespace, connect


def watch(kube: Kube, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with kube.administrator.stream("GET", path) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            event = json.loads(line)
            yield event["type"], event["object"]


def make(kube: Kube, namespace: Namespace, name: str, **labels: str) -> dict[str, Any]:
    made: dict[str, Any] = kube.create(
        f"{namespace.core}/secrets", {"metadata": {"name": name, "labels": labels}}
    )
    return made


def test_changes_come_in_order_from_the_version_of_a_list(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/secrets"
    make(kube, namespace, "before")
    version = kube.get(path)["metadata"]["resourceVersion"]
    make(kube, namespace, "one")
    kube.patch(f"{path}/one", {"metadata": {"labels": {"a": "b"}}})
    kube.delete(f"{path}/one")
    events = watch(kube, f"{path}?watch=true&timeoutSeconds=1&resourceVersion={version}")
    assert [(kind, item["metadata"]["name"], item["kind"]) for kind, item in events] == [
        ("ADDED", "one", "Secret"),
        ("MODIFIED", "one", "Secret"),
        ("DELETED", "one", "Secret"),
    ]


def test_a_watch_without_a_version_begins_with_what_is_there(kube: Kube, namespace: Namespace) -> None:
    make(kube, namespace, "here")
    events = watch(kube, f"{namespace.core}/secrets?watch=true&timeoutSeconds=1")
    assert [(kind, item["metadata"]["name"]) for kind, item in events] == [("ADDED", "here")]


def test_what_leaves_a_selection_counts_as_deleted(kube: Kube, namespace: Namespace) -> None:
    path = f"{namespace.core}/secrets"
    version = kube.get(path)["metadata"]["resourceVersion"]
    make(kube, namespace, "other", l="y")
    make(kube, namespace, "one", l="x")
    kube.patch(f"{path}/one", {"metadata": {"labels": {"l": "y"}}})
    query = f"watch=true&timeoutSeconds=1&resourceVersion={version}&labelSelector=l%3Dx"
    events = watch(kube, f"{path}?{query}")
    assert [(kind, item["metadata"]["name"]) for kind, item in events] == [
        ("ADDED", "one"),
        ("DELETED", "one"),
    ]


def test_the_official_client_sees_a_change_while_it_watches(kube: Kube, namespace: Namespace) -> None:
    with kube.api_client() as connection:
        core = kubernetes.client.CoreV1Api(connection)
        listed = core.list_namespaced_secret(namespace.name).metadata
        assert listed is not None
        version = listed.resource_version
        events = kubernetes.watch.Watch().stream(  # type: ignore[no-untyped-call]
            core.list_namespaced_secret, namespace.name, resource_version=version, timeout_seconds=30
        )
        change = threading.Timer(0.2, make, (kube, namespace, "late"))
        change.start()
        event = next(iter(events))
        change.join()
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "late")


def test_the_end_of_what_was_there_is_marked_on_request(kube: Kube, namespace: Namespace) -> None:
    make(kube, namespace, "here")
    query = "watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
    query += "&resourceVersionMatch=NotOlderThan"
    events = list(watch(kube, f"{namespace.core}/secrets?{query}"))
    assert [kind for kind, _ in events[:2]] == ["ADDED", "BOOKMARK"]
    assert events[1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_broken_version_is_refused(kube: Kube, namespace: Namespace) -> None:
    answer = kube.send("GET", f"{namespace.core}/secrets?watch=true&resourceVersion=abc")
    assert answer.status_code == 500
    assert 'resourceVersion: Invalid value: "abc"' in answer.json()["message"]


@pytest.mark.parametrize("watchers", [3])
def test_stand_in_ends_its_watches_when_it_stops(stand_in: KubernetesApi, watchers: int) -> None:
    seen: list[int] = []

    def follow() -> None:
        kube = connect(stand_in.admin_kubeconfig)
        seen.append(sum(1 for _ in watch(kube, "/api/v1/namespaces?watch=true")))

    threads = [threading.Thread(target=follow) for _ in range(watchers)]
    for thread in threads:
        thread.start()
    while sum(path == "/api/v1/namespaces" for _, path in stand_in.requests) < watchers:
        threads[0].join(0.01)
    stand_in.stop()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert len(seen) == watchers
