"""The gate: how soon a merge is noticed, what that costs GitHub, and where the time to the login goes."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from bench.crowd import Crowd
from bench.stage import ENABLE, Stage
from change.gate.watch import Watch
from sandbox.environment import CHECKOUT
from sandbox.github_api import GitHubApi, Webhook
from sandbox.ports import free_port
from sandbox.prefect_server import PrefectServer
from sandbox.processes import Supervisor, http_answers
from tasks.runbooks import RUNBOOKS

MERGES = 20
POLLED_MERGES = 5
POLL_SECONDS = 10.0
CROWDS = (1, 50, 500)
_PATIENCE = 120.0
_PARTS = (
    "merge to scheduled again (webhook)",
    "scheduled to taken by the worker",
    "process start, imports, flow loaded",
    "preflight, pull request, merge check",
    "wait until synced",
    "steps that write to Vault",
    "proof of the login",
    "merge to the proved login",
)


@dataclass
class Figures:
    """What was measured.

    Attributes:
        webhook, poll: seconds from a merge until the run is scheduled again.
        requests: to GitHub's API and Git, by number of waiting runs: of the first look of a process, of a
            look when nothing has happened, and of one after the base branch moved.
        seconds: of the same looks.
        parts: seconds by part of the way from the merge to the proved login.
    """

    webhook: list[float] = field(default_factory=list)
    poll: list[float] = field(default_factory=list)
    requests: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    seconds: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    parts: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in _PARTS})


def merge_one(stage: Stage, crowd: Crowd) -> float:
    """Merge the pull request of one run; returns seconds until the run is scheduled again."""
    run, number = crowd.runs.pop()
    merged = time.time()
    stage.world.as_reviewer("PUT", f"/pulls/{number}/merge", json={})
    deadline = time.monotonic() + _PATIENCE
    while (state := stage.prefect.api.flow_run(run)["state"])["type"] == "PAUSED":
        if time.monotonic() > deadline:
            msg = f"the run of pull request #{number} was not woken"
            raise TimeoutError(msg)
        time.sleep(0.02)
    return datetime.fromisoformat(state["timestamp"]).timestamp() - merged


@contextmanager
def service(
    prefect: PrefectServer, github: GitHubApi, directory: Path, interval: float, *, webhook: bool
) -> Iterator[None]:
    """The merge service in a process of its own, as documented."""
    port, secret = free_port(), secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}"
    with Supervisor(directory / "logs") as supervisor:
        supervisor.start(
            "merge-service",
            [
                *(sys.executable, "-m", "deployments.merge_service", "--port", str(port)),
                *("--interval", str(interval)),
            ],
            environment={**prefect.environment, "MERGE_SERVICE_WEBHOOK_SECRET": secret},
            directory=CHECKOUT,
            ready=http_answers(f"{url}/healthz"),
            within=_PATIENCE,
        )
        if webhook:
            github.webhooks.append(Webhook(f"{url}/webhook", secret))
        try:
            yield
        finally:
            github.webhooks.clear()


def measure(stage: Stage, rounds: int) -> Figures:
    """Measure all of it; the cluster of the stage was enabled by the merge that is the head of ``main``."""
    figures = Figures()
    directory = stage.directory / "gate"
    directory.mkdir()
    _from_merge_to_login(stage, directory, rounds, figures)
    # What is woken now is not to be executed.
    stage.prefect.stop_worker()
    stage.world.revert()
    crowd = Crowd(stage.world, stage.prefect.api, stage.prefect.api.deployment(ENABLE)["id"])
    for size in CROWDS:
        crowd.grow_to(size)
        figures.requests[size], figures.seconds[size] = looks(stage, crowd)
    crowd.leave()
    crowd.grow_to(MERGES + POLLED_MERGES)
    prefect, github = stage.prefect, stage.world.github
    with service(prefect, github, directory / "webhook", 3600.0, webhook=True):
        figures.webhook = [merge_one(stage, crowd) for _ in range(MERGES)]
    with service(prefect, github, directory / "poll", POLL_SECONDS, webhook=False):
        figures.poll = [merge_one(stage, crowd) for _ in range(POLLED_MERGES)]
    crowd.leave()
    stage.prefect.start_worker()
    return figures


def looks(stage: Stage, crowd: Crowd) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Requests and seconds of three looks: the first, one at nothing new, one after the base moved."""
    watch = Watch(RUNBOOKS, logging.getLogger(__name__), settle=0)
    requests, seconds = [], []
    for base_moves in (False, False, True):
        if base_moves:
            crowd.move_base()
        before, began = len(stage.world.github.requests), time.perf_counter()
        found = watch.look()
        seconds.append(time.perf_counter() - began)
        requests.append(len(stage.world.github.requests) - before)
        if found.woken or found.problems or found.waiting != len(crowd.runs):
            msg = f"a look that should find nothing found {found}"
            raise RuntimeError(msg)
    watch.close()
    return (requests[0], requests[1], requests[2]), (seconds[0], seconds[1], seconds[2])


def _from_merge_to_login(stage: Stage, directory: Path, rounds: int, figures: Figures) -> None:
    with service(stage.prefect, stage.world.github, directory / "whole", 3600.0, webhook=True):
        for _ in range(rounds):
            stage.world.revert()
            run = stage.create_run()
            stage.wait_for(run, "PAUSED")
            merged = time.time()
            stage.world.merge()
            stage.world.sync()
            stage.wait_for(run, "COMPLETED")
            for part, seconds in _parts(stage, run, merged).items():
                figures.parts[part].append(seconds)


def _parts(stage: Stage, run: str, merged: float) -> dict[str, float]:
    """Where the time went, by what Prefect keeps of the run: states, and task runs of the last execution."""
    api = stage.prefect.api
    states = api.request("GET", f"/flow_run_states/?flow_run_id={run}")
    after = {s["type"]: datetime.fromisoformat(s["timestamp"]).timestamp() for s in states}
    ended: dict[str, float] = {}
    for task in api.task_runs(run):
        if task["end_time"]:
            moment = datetime.fromisoformat(task["end_time"]).timestamp()
            ended[task["name"]] = max(moment, ended.get(task["name"], 0.0))
    moments = [
        merged,
        after["SCHEDULED"],
        after["PENDING"],
        after["RUNNING"],
        ended["look for the merge"],
        ended["wait until synced"],
        ended["write role"],
        ended["verify the login"],
    ]
    seconds = [later - earlier for earlier, later in pairwise(moments)]
    return dict(zip(_PARTS, [*seconds, moments[-1] - merged], strict=True))
