"""The sandbox's GitOps repository: a folder of the project, made into a Git repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sandbox.environment import clean_environment

FOLDER = Path(__file__).with_name("repository")
BRANCH = "main"
_AUTHOR = {"GIT_AUTHOR_NAME": "Fleet", "GIT_AUTHOR_EMAIL": "fleet@sandbox.test"}
_COMMITTER = {"GIT_COMMITTER_NAME": "Fleet", "GIT_COMMITTER_EMAIL": "fleet@sandbox.test"}


def make_repository(target: Path, folder: Path = FOLDER) -> Path:
    """A repository with one commit on `BRANCH` that holds a copy of ``folder``.

    Args:
        target: becomes the repository's work tree; must not exist.

    Returns:
        ``target``.
    """
    shutil.copytree(folder, target)
    environment = clean_environment(target.with_name(f"{target.name}-home"), **_AUTHOR, **_COMMITTER)
    for arguments in (
        ["init", "--quiet", "--template=", f"--initial-branch={BRANCH}"],
        ["add", "--all", "--force"],
        ["commit", "--quiet", "--message=Manifests of a small fleet"],
        # As a server keeps it, in one file: some tests copy it a hundred times.
        ["repack", "--quiet", "-a", "-d"],
    ):
        subprocess.run(["git", *arguments], cwd=target, env=environment, check=True)
    return target
