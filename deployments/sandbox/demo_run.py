"""One run of `enable-cluster`, followed from outside: its steps as they change, the gate, its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deployments.sandbox.demo_options import DemoOptions
from deployments.sandbox.github_client import PullRequest
from deployments.sandbox.installation import Installation
from deployments.sandbox.prefect_api import FINAL_STATES
from deployments.sandbox.processes import SandboxError

ENABLE = "enable-cluster/enable-cluster"
_POLL_SECONDS = 0.5
_AUTO_SECONDS = 480.0
_ERROR = 40
_NOT_WORTH_A_LINE = frozenset({"Pending", "Scheduled", "NotReady"})


class DemoRun:
    """Follows one run, and plays the reviewer's part of it."""

    def __init__(self, installation: Installation, options: DemoOptions, say: Callable[[str], None]) -> None:
        self._installation = installation
        self._api = installation.prefect.api
        self._options = options
        self._say = say
        self._seen: dict[str, str] = {}
        self._flow_state = ""
        self._announced: PullRequest | None = None
        self._woken = 0
        self._began = time.monotonic()
        self.identifier = self._api.create_flow_run(
            ENABLE,
            {"cluster": options.cluster, "env": options.env, "namespaces": list(options.namespaces)},
        )

    @property
    def url(self) -> str:
        """The run's page in the UI."""
        return self._installation.prefect.run_url(self.identifier)

    def until_end(self) -> bool:
        """Follow until the run ends. Returns whether it completed.

        Raises:
            SandboxError: a process ended, or an AUTO run takes too long.
        """
        while True:
            self._installation.check()
            state = self._look()
            if state["type"] in FINAL_STATES:
                self._tell_steps()
                return bool(state["type"] == "COMPLETED")
            self._attend_gate(state)
            if self._options.auto and time.monotonic() - self._began > _AUTO_SECONDS:
                msg = f"the run is still {state['name']} after {_AUTO_SECONDS:.0f} s"
                raise SandboxError(msg)
            time.sleep(_POLL_SECONDS)

    def until_started_again(self) -> None:
        """After a failed run: wait until somebody presses Retry in the UI."""
        while self._look()["type"] in FINAL_STATES:
            self._installation.check()
            time.sleep(_POLL_SECONDS)

    def report(self) -> str:
        """The run's report, markdown; empty if it published none."""
        reports = [
            artifact["data"]
            for artifact in self._api.artifacts(self.identifier)
            if str(artifact["key"]).startswith("report-")
        ]
        return str(reports[-1]) if reports else ""

    def cause(self) -> str:
        """Why the run did not complete: the failed steps, the state's message; for a crash, the log too."""
        state = self._api.flow_run(self.identifier)["state"]
        failed = [
            run["name"] for run in self._api.task_runs(self.identifier) if run["state_type"] == "FAILED"
        ]
        lines = [f"{', '.join(failed) or 'The flow'}: {state['message'] or state['name']}"]
        if state["type"] != "FAILED":
            lines += [entry["message"] for entry in self._api.logs(self.identifier, _ERROR)[-5:]]
        return "\n".join(lines)

    def _look(self) -> dict[str, Any]:
        state: dict[str, Any] = self._api.flow_run(self.identifier)["state"]
        self._tell_steps()
        for line in self._installation.wake_ups()[self._woken :]:
            self._woken += 1
            self._tell("merge service", line)
        if state["name"] != self._flow_state:
            self._flow_state = state["name"]
            self._tell("run", state["name"])
        return state

    def _tell_steps(self) -> None:
        for run in self._api.task_runs(self.identifier):
            state = run["state_name"]
            if state and state not in _NOT_WORTH_A_LINE and self._seen.get(run["id"]) != state:
                self._seen[run["id"]] = state
                self._tell(run["name"], state)

    def _tell(self, what: str, state: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._say(f"  {minutes}:{seconds:02d}  {what:<44} {state}")

    def _attend_gate(self, state: dict[str, Any]) -> None:
        """At the gate: show the pull request, and merge it in an AUTO run; the service does the rest."""
        if state["type"] != "PAUSED":
            return
        pull = self._installation.github.newest_pull_request()
        if pull is None:
            return
        if self._announced is None:
            self._announced = pull
            self._say(f"\nThe run waits for the merge of\n  {pull.page}")
            if not self._options.auto:
                self._say("Read the diff there and press Merge: the merge service then wakes the run.\n")
        if self._options.auto and not pull.merged:
            commit = self._installation.github.merge(pull.number)
            self._say(f"Merged as the reviewer: {commit[:12]}. GitHub tells the merge service of it.\n")
