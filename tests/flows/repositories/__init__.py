"""Repositories of other shapes: the sandbox's, without some of its folders and with others.

Each folder here holds what one of them has of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.world import Place
from sandbox.fixture_repository import FOLDER
from sandbox.gitops_agent.options import Folders

_FOLDER = Path(__file__).parent


def shaped(directory: Path, shape: str, folders: Folders, *without: str) -> Place:
    """A place with a repository of this shape.

    Args:
        directory: for the manifests.
        shape: one of the folders here.
        folders: where the GitOps agent finds things in it.
        without: folders of the sandbox's repository that it lacks.
    """
    target = directory / "manifests"
    shutil.copytree(FOLDER, target)
    for folder in without:
        shutil.rmtree(target / folder)
    shutil.copytree(_FOLDER / shape, target, dirs_exist_ok=True)
    return Place(target, folders)
