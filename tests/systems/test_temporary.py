"""Folders for what is only needed for a moment."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from runbook.errors import PrerequisiteMissing
from systems.gitops import GitOpsClone
from systems.kustomize import Kustomize


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))


@pytest.mark.usefixtures("nowhere")
def test_what_needs_a_temporary_folder_says_how_to_give_it_one() -> None:
    said = r"worker, temporary files: No such file or directory\. .*emptyDir.*TMPDIR"
    with pytest.raises(PrerequisiteMissing, match=said):
        Kustomize()
    with (
        pytest.raises(PrerequisiteMissing, match=said),
        GitOpsClone.open("https://git.example.test/a/b.git", "main", None),
    ):
        pass
