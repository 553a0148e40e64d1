"""Trees of texts, and edits as people read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runbook.gitops import EditedTree, FileEdit, FileTree
from runbook.kustomization import resolve


def test_a_tree_lists_its_folders_sorted_and_marked() -> None:
    tree = FileTree({"a/b/c.yaml": "", "a/a.yaml": "", "z.yaml": ""})

    assert tree.entries("") == ("a/", "z.yaml")
    assert tree.entries("a") == ("a.yaml", "b/")
    assert tree.entries("a/a.yaml") == tree.entries("nowhere") == ()
    assert tree.read("a") is None


def test_an_edited_tree_shows_the_edits_and_what_lies_below() -> None:
    tree = EditedTree(
        FileTree({"a/x": "old", "a/y": "kept"}), [FileEdit("a/x", "old", "new"), FileEdit("b/z", None, "")]
    )

    assert (tree.read("a/x"), tree.read("a/y"), tree.read("b/z")) == ("new", "kept", "")
    assert tree.entries("") == ("a/", "b/")
    assert tree.entries("a") == ("x", "y")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "a\nb\n"),
        ("a\nb\n", "a\nx\nb\n"),
        ("a\nb", "a\nb\nc\n"),
        ("a\nb\n", "a\nb\nc"),
        ("a\r\nb\r\n", "a\r\nx\r\nb\r\n"),
        ("a\x0bb\x0c\u2028c\n", "a\x0bb\x0c\u2028c\nd\n"),
    ],
)
def test_git_applies_the_diff_of_an_edit(tmp_path: Path, before: str | None, after: str) -> None:
    file = tmp_path / "f.yaml"
    if before is not None:
        file.write_bytes(before.encode())

    subprocess.run(
        ["git", "apply", "-"],
        input=FileEdit("f.yaml", before, after).diff().encode(),
        cwd=tmp_path,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
    )

    assert file.read_bytes() == after.encode()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("../b/", "x/b"),
        ("./c.yaml", "x/a/c.yaml"),
        ("../../../outside", None),
        ("../..", "."),
        ("https://github.com/o/r?ref=v1", None),
        ("github.com/o/r//path", None),
        ("git@github.com:o/r", None),
        ("/etc/passwd", None),
    ],
)
def test_an_entry_is_followed_only_inside_the_repository(entry: str, expected: str | None) -> None:
    assert resolve("x/a", entry) == expected
