"""The stand-in as a process of its own, and what it remembers when it is started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from deployments.sandbox.environment import CHECKOUT, clean_environment
from deployments.sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout


@contextmanager
def process(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "deployments.sandbox.github_api", *arguments],
        cwd=CHECKOUT,
        env=clean_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


def ready(state: Path, started: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + 60
    path = state / "ready.json"
    while not path.exists():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return json.loads(path.read_text())


def test_it_says_when_it_is_ready_serves_and_ends_on_sigterm(tmp_path: Path, gitops_seed: Path) -> None:
    state = tmp_path / "state"
    with process(
        tmp_path / "home", "--state-dir", str(state), "--seed", f"sandbox/gitops={gitops_seed}"
    ) as started:
        where = ready(state, started)
        repository = where["repositories"]["sandbox/gitops"]
        assert where["pid"] == started.pid
        assert repository["default_branch"] == "main"
        token = json.loads((state / "tokens.json").read_text())["pipeline"]
        answer = requests.get(
            f"{where['api_url']}/user", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        assert answer.json()["login"] == "pipeline"
        assert requests.get(repository["page_url"], timeout=30).status_code == 200
        checkout = Checkout(tmp_path, token=token).clone(repository["clone_url"])
        checkout.propose("topic", "One", one_txt="1\n")
        started.send_signal(signal.SIGTERM)
        _, errors = started.communicate(timeout=30)
        assert (started.returncode, errors) == (0, "")
        assert not (state / "ready.json").exists()


def test_a_port_that_is_taken_and_a_seed_that_is_none_are_told_plainly(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(tmp_path / "home", *state, "--seed", "sandbox/gitops", "--port", port) as started:
            _, errors = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "cannot start" in errors
    assert "Traceback" not in errors
    with process(tmp_path / "home", *state, "--seed", f"sandbox/gitops={tmp_path}/nothing") as started:
        _, errors = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "does not exist" in errors


def test_started_again_it_goes_on_where_it_stopped(tmp_path: Path, gitops_seed: Path) -> None:
    repositories = {"sandbox/gitops": gitops_seed}
    with GitHubApi(tmp_path / "github", repositories) as github:
        token = github.token_of("pipeline")
        pipeline = Caller(github)
        checkout = Checkout(tmp_path, token=token).clone(github.clone_url("sandbox/gitops"))
        checkout.propose("topic", "One", one_txt="1\n")
        before = pipeline.open("topic")
        pipeline.send("POST", "/repos/sandbox/gitops/issues/1/comments", {"body": "Kept"})
        pipeline.send("POST", "/repos/sandbox/gitops/forks")
        port = int(github.url.rsplit(":", 1)[1])
    with GitHubApi(tmp_path / "github", repositories, port=port) as github:
        assert github.token_of("pipeline") == token
        pipeline = Caller(github)
        after = pipeline.get("/repos/sandbox/gitops/pulls/1")
        for field in ("id", "title", "created_at"):
            assert after[field] == before[field]
        assert after["head"]["sha"] == before["head"]["sha"]
        (comment,) = pipeline.get("/repos/sandbox/gitops/issues/1/comments")
        assert comment["body"] == "Kept"
        assert pipeline.merge(1).status_code == 200
        deadline = time.monotonic() + 20
        while pipeline.send("GET", "/repos/pipeline/gitops/branches/main").status_code != 200:
            assert time.monotonic() < deadline, "the fork was asked for before the restart"
            time.sleep(0.02)


def test_reset_goes_back_to_the_seeds(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> None:
    before = pipeline.get("/repos/sandbox/gitops/branches/main")["commit"]["sha"]
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    assert pipeline.merge(1).status_code == 200
    pipeline.send("POST", "/repos/sandbox/gitops/forks", {"organization": "forks"})
    github.reset()
    assert github.requests == []
    assert pipeline.get("/repos/sandbox/gitops/branches/main")["commit"]["sha"] == before
    assert pipeline.get("/repos/sandbox/gitops/pulls?state=all") == []
    assert pipeline.get("/repos/sandbox/gitops/forks") == []
    pipeline.get("/repos/forks/gitops", status=404)
    Checkout(checkout.folder.parent, "again", github.token_of("pipeline")).clone(
        github.clone_url("sandbox/gitops")
    ).propose("topic", "One", one_txt="1\n")
    assert pipeline.open("topic")["number"] == 1
    assert pipeline.merge(1).status_code == 200
