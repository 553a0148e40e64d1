"""A run at the gate, and what happens around it."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.world import REPOSITORY
from change.gate.watch import Round, Watch
from tasks.runbooks import RUNBOOKS
from tests.engineer import Engineer
from tests.eventually import eventually
from tests.github_checkout import Checkout
from tests.world import World

ENABLE = "enable-cluster/enable-cluster"
OVERLAY = "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"
STORE = "cluster-scope/overlays/prod/emea/ember/secret-mgmt/base/opf-vault-store.yaml"
BRANCH = "enable-vault/emea/ember"
STEPS = (
    "write policies",
    "write group and alias",
    "enable auth method",
    "configure auth method",
    "write role",
)
"""Those that write to Vault."""

_REST = {"Suspended", "Completed", "Failed", "Crashed", "Cancelled"}
_PATIENCE = 180.0


Start = Callable[..., "AtTheGate"]
"""Takes what differs from the usual parameters of a run."""


class AtTheGate:
    """One run of `enable-cluster`, from its start to where the test leaves it."""

    def __init__(self, engineer: Engineer, world: World, directory: Path, **parameters: Any) -> None:
        self.engineer = engineer
        self.world = world
        self._directory = directory
        self.watch = Watch(RUNBOOKS, logging.getLogger(__name__), settle=0)
        self.id = engineer.start(ENABLE, world.parameters | parameters)

    def run(self) -> dict[str, Any]:
        """The run as the server has it."""
        return self.engineer.api.flow_run(self.id)

    def states(self) -> list[dict[str, Any]]:
        """All states that it was in, the oldest first."""
        found: list[dict[str, Any]] = self.engineer.api.request(
            "GET", f"/flow_run_states/?flow_run_id={self.id}"
        )
        return found

    def rest(self, after: Callable[[], object] | None = None) -> str:
        """Wait until the run rests: in another state than before, where something is done first.

        Returns:
            The name of the state that it rests in.
        """
        before = self.run()["state"]["id"] if after else ""
        if after:
            after()
        deadline = time.monotonic() + _PATIENCE
        while True:
            run = self.run()
            name: str = run["state"]["name"]
            if run["state"]["type"] == "SCHEDULED":
                self.engineer.execute(self.id)
            if run["state"]["id"] != before and name in _REST:
                return name
            assert time.monotonic() < deadline, f"still {name}: {self.log()}"
            time.sleep(0.2)

    def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        eventually(condition, self.log, seconds=_PATIENCE, pause=0.1)

    def look(self) -> Round:
        """What the merge service and `watch-merges` do: look once, and wake whom it concerns."""
        found = self.watch.look()
        assert found.problems == ()
        return found

    def look_until_woken(self) -> None:
        """Look again and again, as the service does, until there is a reason."""
        self.eventually(lambda: bool(self.look().woken))

    def woken(self) -> str:
        """Have it woken by a look, which must see a reason; returns the state that it rests in then."""

        def wake() -> None:
            assert self.look().woken == ("enable emea/ember",)

        return self.rest(wake)

    def land(self) -> None:
        """Merge the pull request and sync the cluster."""
        self.world.merge()
        self.world.sync()

    def go_on(self, *, wake: Callable[[], object] | None = None) -> None:
        """Sync the cluster, have the run woken, and see that it completes."""
        self.world.sync()
        state = self.rest(wake) if wake else self.woken()
        assert state == "Completed", self.log()
        assert "logs in at ember-k8s" in self.artifact("report")

    def log(self) -> str:
        """The run's log, and what it ended with."""
        return self.engineer.log(self.id)

    def said(self, words: str, times: int = 1) -> bool:
        """Whether the run's log comes to hold these words, at least so often."""
        return self.engineer.said(self.id, words, times)

    def artifact(self, kind: str) -> str:
        """The newest version of one of its artifacts: ``pull-request``, ``report``, ``plan``."""
        return self.engineer.artifact(self.id, f"{kind}-emea-ember")

    def form(self) -> tuple[str, dict[str, Any]]:
        """The form of its Resume: the description, and the JSON schema of the fields."""
        keys = self.run()["state"]["state_details"]["run_input_keyset"]
        found: dict[str, Any] = {}

        def is_there() -> bool:
            # Prefect suspends the run first, and saves the form then.
            body = {"prefix": "", "limit": 50}
            inputs = self.engineer.api.request("POST", f"/flow_runs/{self.id}/input/filter", body)
            found.update({each["key"]: json.loads(each["value"]) for each in inputs})
            return {keys["description"], keys["schema"]} <= set(found)

        self.eventually(is_there)
        return found[keys["description"]], found[keys["schema"]]

    def task_states(self, name: str) -> list[str]:
        """States of the task runs of one step, the oldest first."""
        return [
            task["state"]["name"] for task in self.engineer.api.task_runs(self.id) if task["name"] == name
        ]

    def each_step_ran_once(self) -> bool:
        """Whether every step that writes to Vault completed once, and none was even started again."""
        return all(Counter(self.task_states(step)) == {"Completed": 1} for step in STEPS)

    def checkout(self, login: str = "reviewer", branch: str = "main") -> Checkout:
        """A person's clone of the repository."""
        name = f"{login}-{len(list(self._directory.iterdir()))}"
        made = Checkout(self._directory, name, self.world.github.token_of(login))
        return made.clone(self.world.github.clone_url(REPOSITORY), "--branch", branch)

    def push_to_base(self, edit: Callable[[str], str], path: str = OVERLAY, message: str = "By hand") -> str:
        """A person changes one file of the base branch; returns the commit."""
        return self._push(edit, path, message, "main")

    def push_to_branch(
        self, edit: Callable[[str], str], path: str = OVERLAY, message: str = "By hand"
    ) -> str:
        """A person changes one file of the proposed branch; returns the commit."""
        return self._push(edit, path, message, BRANCH)

    def _push(self, edit: Callable[[str], str], path: str, message: str, branch: str) -> str:
        checkout = self.checkout(branch=branch)
        file = checkout.folder / path
        file.write_text(edit(file.read_text()))
        checkout.git("commit", "--quiet", "--all", "--message", message)
        checkout.git("push", "--quiet", "origin", f"HEAD:{branch}")
        return checkout.git("rev-parse", "HEAD")

    def pull(self) -> dict[str, Any]:
        """Its pull request, the only one."""
        (found,) = self.world.pulls("all")
        return dict(self.world.as_reviewer("GET", f"/pulls/{found['number']}").json())

    def comments(self) -> list[str]:
        """What was said on the pull request."""
        number = self.pull()["number"]
        answer = self.world.as_reviewer("GET", f"/issues/{number}/comments").json()
        return [comment["body"] for comment in answer]
