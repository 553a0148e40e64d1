"""All measurements in their order, and the table made of them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench import clones, gate, runs
from bench.history import COMMITS, FILES, make_repository
from bench.stage import Stage, set_up
from bench.steps import BARE, FUNCTIONS, SCRIPT, SECOND, TASKS
from bench.table import SPREAD, Row, Section, render, spread
from bench.traffic import KINDS, SYSTEMS, Asked
from sandbox.environment import CHECKOUT
from sandbox.processes import SandboxError

_STEPS_SECONDS = 900.0
_LARGEST_PROCESS = 200.0
"""MB, the aim for the flow's process."""
_HANDFUL = 10
"""Requests of one look, whoever waits."""


def measure_everything(directory: Path, rounds: int, repository: str) -> int:
    """Measure, print the table, and return the exit status.

    Args:
        directory: for all files.
        rounds: how often everything is measured.
        repository: path or URL of the repository to clone; one is made if it is empty.
    """
    say("starting the installation")
    with set_up(directory) as stage:
        say(f"1 + {rounds} whole runs through a worker")
        whole = runs.measure(stage, rounds)
        say(f"the gate: {rounds} merges to the proved login, {max(gate.CROWDS)} waiting runs")
        waiting = gate.measure(stage, rounds)
        # After the whole runs: preflight refuses a cluster whose API server other mounts have too.
        say(f"steps 5 to 10 of {rounds + 1} new clusters, four ways")
        steps = _steps(stage, rounds)
        say(f"{rounds} imports of the flow")
        imports = [runs.import_seconds(stage) for _ in range(rounds)]
    if not repository:
        say("making a repository with a history")
    seed = repository or make_repository(directory)
    say(f"{rounds} clones, two ways")
    ours, full = clones.measure(directory / "clones", seed, rounds)

    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {rounds} rounds\n")
    what = "BENCH_GITOPS_REPO" if repository else f"{COMMITS:,} commits, {FILES:,} files"
    print(
        render(
            [
                _steps_section(steps),
                _requests_section(whole),
                Section(
                    "A run of an enabled cluster through a worker",
                    SPREAD,
                    [
                        spread(
                            "from its creation to its first line", whole.first_line, below=4.0, words="4 s"
                        ),
                        spread("of that: imports of the flow", imports),
                        spread("from its creation until the flow runs", whole.running),
                        spread("from then to its end", whole.whole),
                        spread("peak memory of its process", whole.megabytes, "MB", below=_LARGEST_PROCESS),
                    ],
                ),
                *_gate_sections(waiting),
                Section(
                    f"Clone of the GitOps repository ({what})",
                    SPREAD,
                    [
                        spread("ours: time", ours.seconds),
                        spread("full: time", full.seconds),
                        spread("ours: received", ours.megabytes, "MB"),
                        spread("full: received", full.megabytes, "MB"),
                    ],
                ),
            ]
        )
    )
    writes = [asked for asked in whole.second if asked.kind == "write"]
    for write in writes:
        print(f"the second run wrote: {write}")
    return 1 if writes else 0


def say(words: str) -> None:
    """Tell the person who waits what is measured now."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _steps(stage: Stage, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, from a process that does nothing else."""
    file = stage.directory / "scene.json"
    stage.scene.write(file)
    log = stage.directory / "steps.log"
    with log.open("w") as errors:
        result = subprocess.run(
            [sys.executable, "-m", "bench.steps", str(file), str(rounds)],
            cwd=CHECKOUT,
            env=stage.prefect.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=_STEPS_SECONDS,
            check=False,
        )
    if result.returncode != 0:
        msg = f"steps 5 to 10 failed\n{log.read_text()[-4000:]}"
        raise SandboxError(msg)
    seconds: dict[str, list[float]] = json.loads(result.stdout)
    return seconds


def _steps_section(seconds: dict[str, list[float]]) -> Section:
    script = median(seconds[SCRIPT])
    return Section(
        "Steps 5 to 10, one namespace",
        SPREAD,
        [
            spread(
                "(a)  our functions, new cluster",
                seconds[FUNCTIONS],
                below=script / 5,
                words="a fifth of (c)",
            ),
            spread(
                "     the same again",
                seconds[FUNCTIONS + SECOND],
                below=script / 15,
                words="a fifteenth of (c)",
            ),
            spread("(a') our tasks in a flow run, new cluster", seconds[TASKS], below=script, words="(c)"),
            spread("     the same again", seconds[TASKS + SECOND], below=script, words="(c)"),
            spread("(b)  bare hvac and kubernetes calls, new cluster", seconds[BARE]),
            spread("(c)  the runbook's script with bao and kubectl, new cluster", seconds[SCRIPT]),
        ],
    )


def _gate_sections(figures: gate.Figures) -> list[Section]:
    looks = ("first look", "nothing new", "base moved")
    return [
        Section(
            "From a merge to the run being scheduled again",
            SPREAD,
            [
                spread(f"webhook, {gate.MERGES} merges", figures.webhook, below=2.0, words="2 s"),
                spread(f"poll every {gate.POLL_SECONDS:.0f} s", figures.poll),
            ],
        ),
        Section(
            "From a merge to the proved login, through service and worker",
            SPREAD,
            [spread(part, seconds) for part, seconds in figures.parts.items()],
        ),
        Section(
            "Requests to GitHub and its Git remote in one look of the service",
            looks,
            [
                Row(
                    f"{size} waiting runs",
                    (str(first), str(idle), str(moved)),
                    f"a handful: {_HANDFUL} when nothing is new",
                    "met" if idle <= _HANDFUL else "MISSED",
                )
                for size, (first, idle, moved) in figures.requests.items()
            ],
        ),
        Section(
            "Seconds of that look",
            looks,
            [
                Row(f"{size} waiting runs", (f"{first:.3f}", f"{idle:.3f}", f"{moved:.3f}"))
                for size, (first, idle, moved) in figures.seconds.items()
            ],
        ),
    ]


def _requests_section(whole: runs.Figures) -> Section:
    return Section(
        "HTTP requests of a whole run",
        KINDS,
        [*_requests("first", whole.first, ""), *_requests("second", whole.second, "0 writes")],
    )


def _requests(name: str, asked: list[Asked], aim: str) -> list[Row]:
    def figures(of: Sequence[Asked]) -> tuple[str, str, str]:
        counts = Counter(one.kind for one in of)
        return str(counts["read"]), str(counts["ask"]), str(counts["write"])

    rows = [
        Row(f"{name} run: {system}", figures([one for one in asked if one.system == system]))
        for system in SYSTEMS
    ]
    verdict = ("MISSED" if any(one.kind == "write" for one in asked) else "met") if aim else ""
    return [*rows, Row(f"{name} run: all", figures(asked), aim, verdict)]
