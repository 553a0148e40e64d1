"""Our clone of the GitOps repository beside a full one, from the same server over HTTP."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from bench.meter import metered
from runbook.gitops import interesting_folders
from runbook.layout import Layout
from sandbox.github_api import GitHubApi
from systems.git_command import GitCommand, Remote
from systems.gitops import GitOpsClone

_REPOSITORY = "bench/gitops"


@dataclass
class Clones:
    """Seconds and received bytes (in MB) of one way to clone."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def measure(directory: Path, seed: str | Path, rounds: int) -> tuple[Clones, Clones]:
    """Clone ``seed``, a path or URL, in both ways by turns: ours, and a full one with its files."""
    ours, full = Clones(), Clones()
    with GitHubApi(directory / "github", {_REPOSITORY: seed}) as github:
        branch, token = github.default_branch(_REPOSITORY), SecretStr(github.token_of("read-only"))
        with metered(github.clone_url(_REPOSITORY)) as (url, meter):
            for _ in range(rounds):
                meter.take()
                started = time.perf_counter()
                with GitOpsClone.open(url, branch, token, interesting=interesting_folders(Layout())):
                    ours.seconds.append(time.perf_counter() - started)
                ours.megabytes.append(meter.take() / 1e6)
                full.seconds.append(_full_clone(url, token))
                full.megabytes.append(meter.take() / 1e6)
    return ours, full


def _full_clone(url: str, token: SecretStr) -> float:
    with tempfile.TemporaryDirectory(prefix="full-clone-") as home:
        remote = Remote(url, token)
        started = time.perf_counter()
        GitCommand(Path(home), 600.0).run("clone", "--quiet", "--", remote.url, "repository", remote=remote)
        return time.perf_counter() - started
