"""A change as files, hunks and lines: for the API's list of files and for the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deployments.sandbox.github_api.git import Git

Status = Literal["added", "removed", "modified", "renamed", "copied", "changed"]
LineKind = Literal["hunk", "context", "added", "removed", "note"]

_STATUS: dict[str, Status] = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}
_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_NO_FILE = re.compile(r"^0+$")


@dataclass(frozen=True)
class Line:
    """A line of a hunk, with its numbers in the old and in the new file where it has them."""

    kind: LineKind
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True)
class FileChange:
    """What a change does to one file. ``patch`` begins with the first hunk and is empty for a binary."""

    path: str
    previous_path: str | None
    status: Status
    blob: str
    patch: str

    @property
    def lines(self) -> list[Line]:
        """The patch, line by line."""
        lines: list[Line] = []
        old = new = 0
        for text in self.patch.split("\n") if self.patch else []:
            match = _HUNK.match(text)
            if match:
                old, new = int(match[1]), int(match[2])
                lines.append(Line("hunk", text))
            elif text.startswith("+"):
                lines.append(Line("added", text[1:], new=new))
                new += 1
            elif text.startswith("-"):
                lines.append(Line("removed", text[1:], old=old))
                old += 1
            elif text.startswith("\\"):
                lines.append(Line("note", text[2:]))
            else:
                lines.append(Line("context", text[1:], old, new))
                old, new = old + 1, new + 1
        return lines

    @property
    def additions(self) -> int:
        """Number of added lines."""
        return sum(line.kind == "added" for line in self.lines)

    @property
    def deletions(self) -> int:
        """Number of removed lines."""
        return sum(line.kind == "removed" for line in self.lines)


def changes(git: Git, repository: Path, base: str, head: str) -> list[FileChange]:
    """What ``head`` brings since it left ``base``: GitHub's "three dots"."""
    return _changes(git, repository, f"{base}...{head}")


def changes_of_commit(git: Git, repository: Path, commit: str) -> list[FileChange]:
    """What one commit does to its first parent, or everything for the first commit."""
    parent = git.commit_of(repository, f"{commit}^")
    if parent is None:
        parent = git.run(repository, "hash-object", "-t", "tree", "/dev/null").strip()
    return _changes(git, repository, parent, commit)


def _changes(git: Git, repository: Path, *revisions: str) -> list[FileChange]:
    how = ("diff", "--no-color", "--no-ext-diff", "--find-renames", "--full-index")
    raw = git.run(repository, *how, "--raw", "-z", *revisions, "--")
    text = git.run(repository, *how, "--patch", *revisions, "--")
    # No line of a patch's content begins with "diff": each has a blank, a sign or a backslash before it.
    patches = re.split(r"^diff --git .*\n", text, flags=re.MULTILINE)[1:]
    found: list[FileChange] = []
    fields = iter(raw.split("\0"))
    for entry in fields:
        if not entry:
            continue
        _, _, old_blob, new_blob, letter = entry.split(" ")
        status = _STATUS[letter[0]]
        path = next(fields)
        previous = None
        if status in ("renamed", "copied"):
            previous, path = path, next(fields)
        hunks = re.search(r"^@@ .*", patches[len(found)], flags=re.MULTILINE | re.DOTALL)
        found.append(
            FileChange(
                path=path,
                previous_path=previous,
                status=status,
                blob=old_blob if _NO_FILE.match(new_blob) else new_blob,
                patch=hunks[0].removesuffix("\n") if hunks else "",
            )
        )
    return found
