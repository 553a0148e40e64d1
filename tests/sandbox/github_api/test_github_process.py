"""The stand-in as a process of its own, and how one that is shared begins again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from sandbox.environment import CHECKOUT, clean_environment
from sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout


def process(home: Path, seed: Path) -> subprocess.Popen[str]:
    options = ["--state-dir", str(home / "state"), "--repository", "sandbox/gitops", "--seed", str(seed)]
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox.github_api", *options, "--webhook-url", "http://127.0.0.1:1/hook"],
        cwd=CHECKOUT,
        env=clean_environment(home / "home", WEBHOOK_SECRET="secret"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_when_it_is_ready_serves_and_ends_on_sigterm(tmp_path: Path, gitops_seed: Path) -> None:
    ready = tmp_path / "state" / "ready.json"
    with process(tmp_path, gitops_seed) as started:
        try:
            while not ready.exists():
                assert started.poll() is None, started.communicate()
                time.sleep(0.02)
            where = json.loads(ready.read_text())
            assert where["api_url"].startswith("http://127.0.0.1:")
            assert where["default_branch"] == "main"
            token = json.loads((ready.parent / "tokens.json").read_text())["pipeline"]
            Checkout(tmp_path, token=token).clone(where["clone_url"]).propose("topic", "One", one_txt="1\n")
        finally:
            started.terminate()
        assert (started.communicate(timeout=30)[1], started.returncode) == ("", 0)


def test_a_seed_that_is_none_is_told_plainly(tmp_path: Path) -> None:
    with process(tmp_path, tmp_path / "nothing") as started:
        _, errors = started.communicate(timeout=60)
    assert started.returncode == 1
    assert "does not exist" in errors
    assert "Traceback" not in errors


def test_reset_goes_back_to_the_seeds(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> None:
    main = "/repos/sandbox/gitops/git/ref/heads/main"
    before = pipeline.get(main)
    for _ in range(2):
        checkout.propose("topic", "One", one_txt="1\n")
        assert pipeline.open("topic")["number"] == 1
        assert pipeline.merge(1).status_code == 200
        pipeline.send("POST", "/repos/sandbox/gitops/forks", {"organization": "forks"})
        github.reset()
        assert github.requests == []
        assert pipeline.get(main) == before
        pipeline.get("/repos/forks/gitops", status=404)
