"""Runs that wait at the gate, each for a pull request of its own; no process ever executed them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client

from deployments.sandbox.github_api.limits import RateLimits
from deployments.sandbox.prefect_api import PrefectApi
from runbook.gate import LABEL, GateRecord
from runbook.gitops import fingerprint, wanted_edits
from runbook.request import EnableRequest
from tasks import connect
from tasks.gate_record import KEY
from tasks.repository import clone, store_settings
from tests.github_checkout import Checkout
from tests.world import REPOSITORY, World

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

    def __init__(self, world: World, api: PrefectApi, deployment: str, directory: Path) -> None:
        """
        Args:
            world: whose repository they wait for.
            api: of the Prefect server.
            deployment: its id.
            directory: for a checkout.
        """
        self._world = world
        self._api = api
        self._deployment = deployment
        self._github = world.github
        # GitHub's own limit is eighty writes a minute; the crowd is put there.
        self._github.rate_limits = RateLimits(writes_per_minute=10**6)
        self._request = EnableRequest.model_validate(world.parameters)
        self._remaining = self._what_is_missing()
        self._checkout = Checkout(directory, "crowd", self._github.token_of("reviewer"))
        self._checkout.clone(self._github.clone_url(REPOSITORY))
        self._pulls = 0
        self._made: list[str] = []
        self.runs: list[tuple[str, int]] = []

    def grow_to(self, size: int) -> None:
        """Have so many runs wait."""
        missing = range(self._pulls, self._pulls + size - len(self.runs))
        self._checkout.git("fetch", "--quiet", "origin")
        base = self._checkout.git("rev-parse", "origin/main")
        branches = []
        for number in missing:
            self._checkout.git("checkout", "--quiet", "--no-track", "-B", f"crowd-{number}", base)
            self._checkout.commit(f"Say {number}", **{f"crowd__{number}_md": f"{number}\n"})
            branches.append(f"crowd-{number}")
        if branches:
            self._checkout.git("push", "--quiet", "origin", *branches)
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
        settings = store_settings(connect.vault_connection(self._request), ())
        with clone(repository) as base:
            return fingerprint(wanted_edits(base.tree, self._request, repository.layout, settings), {})

    def move_base(self) -> None:
        """A push to the base branch that concerns nobody."""
        self._checkout.git("fetch", "--quiet", "origin")
        self._checkout.git("checkout", "--quiet", "--detach", "origin/main")
        self._checkout.commit("Say something", README_md=f"{secrets.token_hex(4)}\n")
        self._checkout.git("push", "--quiet", "origin", "HEAD:main")

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
