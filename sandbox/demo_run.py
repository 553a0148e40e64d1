"""One run of `enable-cluster`, followed from outside: its steps as they change, the gate, its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.demo_options import DemoOptions
from sandbox.github_client import PullRequest
from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.operator_lifecycle import SUBSCRIPTION
from sandbox.installation import Installation
from sandbox.prefect_api import FINAL_STATES
from sandbox.processes import SandboxError

ENABLE = "enable-cluster/enable-cluster"
_POLL_SECONDS = 0.5
_AUTO_SECONDS = 480.0
"""What an AUTO run gets, beside its wait for the operator."""

_OPERATOR_SECONDS = 360.0
"""A real operator looks at a store every 5 minutes."""

_NO_OPERATOR_SECONDS = 5.0
_STORE_KINDS = (("external-secrets.io/v1", "SecretStore"), ("external-secrets.io/v1beta1", "SecretStore"))
_ERROR = 40
_NOT_WORTH_A_LINE = frozenset({"Pending", "Scheduled", "NotReady"})


def seconds_for_stores(kubeconfig: Path | None) -> float:
    """How long a run shall wait until its SecretStores are Ready.

    On a real API server an operator may look at them: one that is there, or that OLM installs. The stand-in
    has none, nor has a server whose CRDs the sandbox's agent will bring.

    Raises:
        ClusterError: the API server does not answer.
    """
    if kubeconfig is None:
        return _NO_OPERATOR_SECONDS
    with Cluster(kubeconfig) as cluster:
        comes = any(cluster.resource(*kind) for kind in (*_STORE_KINDS, SUBSCRIPTION))
    return _OPERATOR_SECONDS if comes else _NO_OPERATOR_SECONDS


class DemoRun:
    """Follows one run, and plays the reviewer's part of it.

    Attributes:
        patience: seconds after which an AUTO run is given up: more than the run may wait for its operator.
    """

    def __init__(self, installation: Installation, options: DemoOptions, say: Callable[[str], None]) -> None:
        self._installation = installation
        self._api = installation.prefect.api
        self._options = options
        self._say = say
        self._seen: dict[str, str] = {}
        self._flow_state = ""
        self._announced: PullRequest | None = None
        self._asked = False
        self._woken = 0
        self._began = time.monotonic()
        stores = seconds_for_stores(options.kubeconfig)
        self.patience = _AUTO_SECONDS + stores
        self.identifier = self._api.create_flow_run(
            ENABLE,
            {
                "cluster": options.cluster,
                "env": options.env,
                "namespaces": list(options.namespaces),
                "store_timeout": f"{stores:.0f}s",
                # Where the change has landed already, nobody is there who would fill in a form.
                "approve": not options.auto,
            },
        )

    @property
    def url(self) -> str:
        """The run's page in the UI."""
        return self._installation.prefect.run_url(self.identifier)

    def until_end(self, patience: float | None = None) -> bool:
        """Follow until the run ends. Returns whether it completed.

        Args:
            patience: seconds after which an AUTO run is given up; `patience` of this run if not given.

        Raises:
            SandboxError: a process ended, or an AUTO run takes too long.
        """
        patience = self.patience if patience is None else patience
        while True:
            self._installation.check()
            state = self._look()
            if state["type"] in FINAL_STATES:
                self._tell_steps()
                return bool(state["type"] == "COMPLETED")
            self._attend_gate(state)
            if self._options.auto and time.monotonic() - self._began > patience:
                msg = f"the run is still {state['name']} after {patience:.0f} s. {self._standing(state)}"
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

    def _standing(self, state: dict[str, Any]) -> str:
        """What a run that does not end waits for, and the last that it said."""
        steps = [
            run["name"] for run in self._api.task_runs(self.identifier) if run["state_type"] == "RUNNING"
        ]
        waits = f"It is in: {', '.join(steps)}." if steps else "It is in no step."
        if state["type"] == "PAUSED":
            waits = f"It {state['message']}."
        said = [entry["message"] for entry in self._api.logs(self.identifier)]
        return f"{waits} Its last message: {said[-1] if said else state['message'] or 'none'}"

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
            if not self._asked:
                self._asked = True
                self._say(f"\nThe run waits for an approval of its plan: press Resume in\n  {self.url}")
            return
        if self._announced is None:
            self._announced = pull
            self._say(f"\nThe run waits for the merge of\n  {pull.page}")
            if not self._options.auto:
                self._say("Read the diff there and press Merge: the merge service then wakes the run.\n")
        if self._options.auto and not pull.merged:
            commit = self._installation.github.merge(pull.number)
            self._say(f"Merged as the reviewer: {commit[:12]}. GitHub tells the merge service of it.\n")
