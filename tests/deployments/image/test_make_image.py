"""``make image`` with a stand-in for the program that builds images."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sandbox.environment import CHECKOUT

BUILDER = """#!/bin/sh
# What it was called with, a line each; and what lies in its last argument, the context.
printf '%s\\n' "$0" "$@" > "{record}"
for context; do :; done
(cd "$context" && find . -type f) > "{record}.context"
"""
NEEDED = ("cat", "date", "dirname", "env", "find", "git", "make", "mktemp", "rm", "sed", "sh", "tar")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of one commit, with a file that is not committed."""
    folder = tmp_path / "checkout"
    (folder / "deployments").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, folder)
    shutil.copytree(CHECKOUT / "deployments" / "image", folder / "deployments" / "image")
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "--quiet", "--message=All")
    (folder / "connections.yaml").write_text("secrets of a person")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def _programs(folder: Path, **builders: str) -> Path:
    """A folder for PATH that has what the script needs, and these programs."""
    folder.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    for name, text in builders.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def _make(checkout: Path, programs: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "image", *variables],
        cwd=checkout,
        env={**os.environ, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("builder", ["podman", "buildah"])
def test_the_image_is_of_the_commit_alone_and_says_which(
    checkout: Path, tmp_path: Path, builder: str
) -> None:
    record = tmp_path / "record"
    programs = _programs(tmp_path / "bin", **{builder: BUILDER.format(record=record)})
    made = _make(checkout, programs, "IMAGE=example/image:1", "BASE=mirror.example.test/python@sha256:0")
    assert made.returncode == 0, made.stderr
    assert "not committed" in made.stderr
    assert f"\n--timestamp\n{_git(checkout, 'log', '-1', '--format=%ct')}\n" in record.read_text()
    called = record.read_text().splitlines()
    assert called[0].endswith(builder)
    assert {
        f"REVISION={_git(checkout, 'rev-parse', 'HEAD')}",
        f"VERSION={tomllib.loads((CHECKOUT / 'pyproject.toml').read_text())['project']['version']}",
        "BASE=mirror.example.test/python@sha256:0",
        "example/image:1",
    } <= set(called)
    given = Path(f"{record}.context").read_text().splitlines()
    assert "./deployments/image/Containerfile" in given
    assert "./connections.yaml" not in given
    assert not Path(called[-1]).exists()


def test_where_nothing_builds_images_it_says_what_would(checkout: Path, tmp_path: Path) -> None:
    # A client without its daemon is no builder.
    programs = _programs(tmp_path / "bin", docker="#!/bin/sh\nexit 1\n")
    refused = _make(checkout, programs)
    assert refused.returncode != 0
    assert "podman, buildah, or docker with its daemon, and none of them is here" in refused.stderr
