"""The two ways to clone, measured at a server."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.clones import measure
from bench.history import make_repository


def test_a_made_repository_has_the_files_and_commits_asked_for(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, files=40, commits=25)

    def count(*arguments: str) -> int:
        command = ["git", "-C", str(repository), *arguments]
        return len(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())

    assert count("ls-tree", "-r", "--name-only", "main") == 40
    assert count("rev-list", "main") == 25


def test_our_clone_receives_less_than_a_full_one(tmp_path: Path) -> None:
    ours, full = measure(tmp_path / "clones", make_repository(tmp_path, files=40, commits=200), rounds=2)
    assert len(ours.seconds) == len(full.seconds) == 2
    # 200 manifests of 2.5 kB, compressed, against the 40 of the last commit or fewer.
    assert 0 < max(ours.megabytes) < min(full.megabytes) / 2
