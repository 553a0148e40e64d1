"""As much of a Kubernetes API as the worker asks for, to see what that is."""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "enablement"
_PATH = re.compile(
    rf"/(?:api|apis/(?P<group>[^/]+))/v1/namespaces/{NAMESPACE}/(?P<resource>[^/]+)"
    r"(?:/(?P<name>[^/]+)(?:/(?P<part>[^/]+))?)?"
)
_BATCH = {"groupVersion": "batch/v1", "version": "v1"}
_GROUPS = [{"name": "batch", "versions": [_BATCH], "preferredVersion": _BATCH}]
_VERBS = ["create", "get", "list", "watch"]


def _resources(group_version: str, **kinds: str) -> dict[str, Any]:
    found = [
        {"name": name, "singularName": "", "kind": kind, "namespaced": kind != "Namespace", "verbs": _VERBS}
        for name, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": group_version, "resources": found}


_DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": _GROUPS},
    "/api/v1": _resources("v1", pods="Pod", namespaces="Namespace", events="Event"),
    "/apis/batch/v1": _resources("batch/v1", jobs="Job"),
}
"""Everybody who is authenticated may ask for these."""


class RecordingApi(ThreadingHTTPServer):
    """Takes Jobs, and remembers every right that a request needs.

    Attributes:
        asked: verb, API group and resource, as a Role names them.
        elsewhere: requests outside of the one namespace, for which no Role would do.
        jobs: those that are there, by name.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: set[tuple[str, str, str]] = set()
        self.elsewhere: list[str] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.ended = threading.Event()
        self.changed = threading.Condition()
        self.events: list[dict[str, Any]] = []
        """What watches of Jobs tell, the oldest first."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        with self.changed:
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def remove(self, name: str) -> None:
        """A Job is gone that nobody has asked to delete."""
        self._tell("DELETED", self.jobs.pop(name))

    def add(self, job: dict[str, Any]) -> dict[str, Any]:
        number = len(self.events)
        metadata = job["metadata"]
        metadata |= {"name": f"{metadata['generateName']}{number}", "uid": f"uid-{number}"}
        metadata |= {"resourceVersion": str(number), "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.jobs[metadata["name"]] = job
        self._tell("ADDED", job)
        return job

    def _tell(self, kind: str, job: dict[str, Any]) -> None:
        with self.changed:
            self.events.append({"type": kind, "object": job})
            self.changed.notify_all()

    def news(self, told: int) -> list[dict[str, Any]]:
        """The events after the first ``told`` ones, as soon as there are any, or none at the end."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended.is_set() or len(self.events) > told)
            return self.events[told:]

    def pods(self) -> list[dict[str, Any]]:
        """One for each Job, whose container has failed."""
        status = {"phase": "Failed", "containerStatuses": []}
        spec = {"containers": [{"name": "prefect-job"}]}
        metadata = {"name": "pod", "uid": "pod", "namespace": NAMESPACE, "resourceVersion": "1"}
        return [{"metadata": metadata, "spec": spec, "status": status}]


class _Handler(BaseHTTPRequestHandler):
    server: RecordingApi

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if answer := _DISCOVERY.get(url.path):
            self._answer(answer)
            return
        watched = parse_qs(url.query).get("watch") == ["true"]
        resource, name = self._record("watch" if watched else "list", "get")
        if watched:
            self._watch(resource)
        elif resource == "pods/log":
            self._answer("the last words of a container")
        elif name:
            self._answer(self.server.jobs.get(name), "Job")
        else:
            items = self.server.pods() if resource == "pods" else [*self.server.jobs.values()]
            self._answer({"metadata": {"resourceVersion": "0"}, "items": items}, "List")

    def do_POST(self) -> None:
        self._record("create")
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.server.add(job), "Job")

    def do_PATCH(self) -> None:
        self._record("patch")
        self._answer(None)

    def _record(self, verb: str, verb_of_named: str = "") -> tuple[str, str]:
        if not (match := _PATH.fullmatch(urlsplit(self.path).path)):
            self.server.elsewhere.append(f"{self.command} {self.path}")
            return "", ""
        resource = "/".join(filter(None, (match["resource"], match["part"])))
        name = match["name"] or ""
        self.server.asked.add((verb_of_named or verb if name else verb, match["group"] or "", resource))
        return resource, name

    def _answer(self, body: Any, kind: str = "") -> None:
        content = body if isinstance(body, str) else json.dumps({"kind": kind, **(body or {})})
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def _watch(self, resource: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        told = 0
        while not self.server.ended.is_set():
            for event in self.server.news(told) if resource == "jobs" else self.server.news(sys.maxsize):
                told += 1
                self.wfile.write(json.dumps(event).encode() + b"\n")
