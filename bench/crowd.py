"""Runs that wait at the gate, each for a pull request of its own; no process ever executed them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client

from bench.history import commit, file
from bench.world import World
from change.gate.record import KEY
from runbook.gate import LABEL, GateRecord
from runbook.gitops import fingerprint
from runbook.request import EnableRequest
from sandbox.github_api.limits import RateLimits
from sandbox.prefect_api import PrefectApi
from tasks import connect
from tasks.runbooks import ENABLE_CLUSTER

_SUSPENDED = {
    "type": "PAUSED",
    "name": "Suspended",
    "state_details": {"pause_key": f"{KEY}1", "pause_reschedule": True},
}


class Crowd:
    """Waiting runs of a deployment of `enable-cluster`.

    Attributes:
        runs: id of each run that waits, and the number of its pull request.
    """

    def __init__(self, world: World, api: PrefectApi, deployment: str) -> None:
        """
        Args:
            world: whose repository they wait for.
            api: of the Prefect server.
            deployment: its id.
        """
        self._world = world
        self._api = api
        self._deployment = deployment
        # GitHub's own limit is eighty writes a minute; the crowd is put there.
        world.github.rate_limits = RateLimits(writes_per_minute=10**6)
        self._request = EnableRequest.model_validate(world.parameters)
        self._remaining = self._what_is_missing()
        self._pulls = 0
        self._made: list[str] = []
        self.runs: list[tuple[str, int]] = []

    def grow_to(self, size: int) -> None:
        """Have so many runs wait."""
        missing = range(self._pulls, self._pulls + size - len(self.runs))
        base = self._world.git("rev-parse", "main").strip()
        branches = [f"crowd-{number}" for number in missing]
        self._import(
            *(
                f"{commit(0, 'Say it', branch)}from {base}\n{file(f'crowd/{branch}.md', branch)}"
                for branch in branches
            )
        )
        for branch in branches:
            body = {"title": branch, "head": branch, "base": "main"}
            pull = self._world.as_reviewer("POST", "/pulls", json=body).json()
            self.runs.append((self._wait_for(pull, base), pull["number"]))
        self._pulls += len(branches)

    def _wait_for(self, pull: dict[str, Any], base: str) -> str:
        api = self._api
        body = {"parameters": self._world.parameters, "state": _SUSPENDED, "name": "enable emea/ember"}
        run: str = api.request("POST", f"/deployments/{self._deployment}/create_flow_run", body)["id"]
        record = GateRecord(
            number=pull["number"],
            url=pull["html_url"],
            pull_request="open",
            head=pull["head"]["sha"],
            shared=False,
            base=base,
            remaining=self._remaining,
            served_versions=(),
            wanted={},
            since=datetime.now(UTC),
            until=None,
            suspensions=0,
        )
        self._made.append(run)
        api.request("PATCH", f"/flow_runs/{run}/labels", {LABEL: record.model_dump_json()})
        return run

    def _what_is_missing(self) -> str:
        repository = connect.gitops_repository(self._request)
        vault = connect.vault_connection(self._request)
        with repository.clone() as base:
            return fingerprint(ENABLE_CLUSTER.missing(base.tree, self._request, repository, vault, ()), {})

    def move_base(self) -> None:
        """A commit on the base branch that concerns nobody."""
        readme = file("README.md", secrets.token_hex(4))
        self._import(f"{commit(0, 'Say something')}from refs/heads/main^0\n{readme}")

    def _import(self, *commits: str) -> None:
        self._world.git("fast-import", "--quiet", given="".join(commits))

    def state(self, run: str) -> str:
        """Name of the state of a run."""
        return str(self._api.flow_run(run)["state"]["name"])

    def state_id(self, run: str) -> str:
        """Id of the state of a run: another one after each transition."""
        return str(self._api.flow_run(run)["state"]["id"])

    def set_state(self, run: str, kind: str, name: str) -> None:
        """Put a run into a state, whatever Prefect thinks of that."""
        self._set(run, {"type": kind, "name": name})

    def suspend(self, run: str) -> None:
        """Put a run where it waits at the gate."""
        self._set(run, _SUSPENDED)

    def _set(self, run: str, state: dict[str, Any]) -> None:
        self._api.request("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def leave(self) -> None:
        """Delete all runs that this made, woken ones too."""
        with get_client(sync_client=True) as client:
            for run in self._made:
                client.delete_flow_run(UUID(run))
        self._made.clear()
        self.runs.clear()
