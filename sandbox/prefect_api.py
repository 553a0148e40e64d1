"""Prefect's REST API, as far as the demo and the end-to-end tests drive it from outside.

Plain requests rather than Prefect's own client: this is what a script or a webhook of somebody else would
send, and it starts without the two seconds that ``import prefect`` takes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from sandbox.environment import CHECKOUT
from sandbox.ports import ANSWER_SECONDS

_BUSY = frozenset({429, 502, 503, 504})
_GIVE_UP_SECONDS = 30.0
_PAUSE_SECONDS = 0.2

POOL_LIMIT = 4
"""Runs at once, as ``make deploy`` sets it for a new work pool."""

FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class PrefectApi:
    """One Prefect server, by its API's URL (``http://127.0.0.1:4200/api``)."""

    def __init__(self, url: str, credential: str = "") -> None:
        """``credential`` is ``name:password``, where the server has one."""
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc
        if credential:
            name, _, password = credential.partition(":")
            self._session.auth = (name, password)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer's JSON, None for an empty body.

        A busy server (SQLite's ``database is locked`` comes as 503) is asked again for half a minute.

        Raises:
            requests.HTTPError: the answer is an error.
            requests.ConnectionError: there is no server.
        """
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            answer = self._session.request(method, f"{self.url}{path}", json=body, timeout=ANSWER_SECONDS)
            if answer.status_code not in _BUSY or time.monotonic() > give_up:
                break
            time.sleep(_PAUSE_SECONDS)
        if not answer.ok:
            msg = f"{method} {path}: {answer.status_code} {answer.text[:500]}"
            raise requests.HTTPError(msg, response=answer)
        return answer.json() if answer.content else None

    def create_work_pool(self, name: str) -> None:
        """Make a work pool of type process as ``make deploy`` does, unless it is there."""
        pool = {
            "name": name,
            "type": "process",
            "base_job_template": json.loads((CHECKOUT / "deployments" / "work-pool.json").read_text()),
            "concurrency_limit": POOL_LIMIT,
        }
        try:
            self.request("POST", "/work_pools/", pool)
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != 409:
                raise

    def workers(self, pool: str) -> list[dict[str, Any]]:
        """The workers of a pool; ``status`` is ONLINE or OFFLINE."""
        found: list[dict[str, Any]] = self.request("POST", f"/work_pools/{pool}/workers/filter", {})
        return found

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment by ``<flow>/<deployment>``."""
        found: dict[str, Any] = self.request("GET", f"/deployments/name/{name}")
        return found

    def create_flow_run(self, deployment: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Create a run of ``<flow>/<deployment>``; returns its id.

        Raises:
            requests.HTTPError: 409 or 422 with the reason, when a parameter does not fit.
        """
        identifier = self.deployment(deployment)["id"]
        body = {"parameters": dict(parameters or {}), "state": {"type": "SCHEDULED"}}
        run: dict[str, Any] = self.request("POST", f"/deployments/{identifier}/create_flow_run", body)
        return str(run["id"])

    def flow_run(self, identifier: str) -> dict[str, Any]:
        """A run, with its ``state``."""
        found: dict[str, Any] = self.request("GET", f"/flow_runs/{identifier}")
        return found

    def task_runs(self, flow_run: str) -> list[dict[str, Any]]:
        """A run's task runs, in the order in which they were expected to start."""
        found: list[dict[str, Any]] = self.request(
            "POST",
            "/task_runs/filter",
            {"flow_runs": {"id": {"any_": [flow_run]}}, "sort": "EXPECTED_START_TIME_ASC"},
        )
        return found

    def artifacts(self, flow_run: str) -> list[dict[str, Any]]:
        """A run's artifacts, the oldest first: ``key``, ``type``, ``data``."""
        found: list[dict[str, Any]] = self.request(
            "POST",
            "/artifacts/filter",
            {"artifacts": {"flow_run_id": {"any_": [flow_run]}}, "sort": "CREATED_DESC"},
        )
        return found[::-1]

    def logs(self, flow_run: str, minimum_level: int = 20) -> list[dict[str, Any]]:
        """The newest 200 entries of a run's log, the oldest first; levels as in `logging` (20 is INFO)."""
        found: list[dict[str, Any]] = self.request(
            "POST",
            "/logs/filter",
            {
                "logs": {"flow_run_id": {"any_": [flow_run]}, "level": {"ge_": minimum_level}},
                "sort": "TIMESTAMP_DESC",
                "limit": 200,
            },
        )
        return found[::-1]

    def resume(self, flow_run: str, answer: Mapping[str, Any] | None = None) -> str:
        """Press Resume: returns ACCEPT, REJECT, ABORT or WAIT.

        Args:
            answer: what the form is filled in with.
        """
        body = {"run_input": dict(answer)} if answer is not None else {}
        result: dict[str, Any] = self.request("POST", f"/flow_runs/{flow_run}/resume", body)
        return str(result["status"])

    def retry(self, flow_run: str) -> str:
        """Press Retry on a run that failed: only its failed and later steps run. Returns as `resume`."""
        result: dict[str, Any] = self.request(
            "POST",
            f"/flow_runs/{flow_run}/set_state",
            {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": False},
        )
        return str(result["status"])
