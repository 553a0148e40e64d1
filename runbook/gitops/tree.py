"""Reading a commit's files as kustomize and ArgoCD see them.

A `Tree` is all that the runbook needs of a repository. `systems` makes one of a commit; `FileTree` is one of
plain texts, for what the edits would make of a commit.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runbook.documents import field, items_of, mapping_of, readable
from runbook.errors import Conflict
from runbook.kustomization import FILE_NAMES, entries_of, resolve

Manifest = Mapping[str, Any]

_MOST_FOLDERS = 20_000
"""In one commit; the largest GitOps repositories have some thousands."""

PATH_MAX = 4096
"""What lies deeper than the longest path of a file system cannot be checked out, by ArgoCD neither."""


class Tree(Protocol):
    """The files of one commit. Paths are relative to the repository's root, without a slash at an end."""

    def read(self, path: str) -> str | None:
        """The text of a file; None if there is no such file."""
        ...

    def has(self, path: str) -> bool:
        """Whether `read` gives a text, without reading it."""
        ...

    def entries(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted, folders with a slash behind; () if there is no such folder."""
        ...

    def prefetch(self, paths: Iterable[str]) -> None:
        """Be told which files will be read next: a tree far away gets them in one request."""
        ...


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file of a change. ``before`` is None for a new file."""

    path: str
    before: str | None
    after: str

    def diff(self) -> str:
        """The edit as a unified diff, as ``git diff`` shows it."""
        old = f"a/{self.path}" if self.before is not None else "/dev/null"
        lines = difflib.unified_diff(
            _lines(self.before or ""), _lines(self.after), fromfile=old, tofile=f"b/{self.path}"
        )
        marked = (
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )
        return "".join(marked)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


class FileTree:
    """A tree of plain texts by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, path: str) -> str | None:
        return self._files.get(path)

    def has(self, path: str) -> bool:
        return path in self._files

    def entries(self, path: str) -> tuple[str, ...]:
        start = f"{path}/" if path else ""
        below = (file.removeprefix(start).partition("/") for file in self._files if file.startswith(start))
        return tuple(sorted({name + slash for name, slash, _ in below}))

    def prefetch(self, paths: Iterable[str]) -> None:
        """All are here."""


class EditedTree:
    """Another tree as it is once some edits are made."""

    def __init__(self, tree: Tree, edits: Iterable[FileEdit] = ()) -> None:
        self._tree = tree
        self._edited = {edit.path: edit.after for edit in edits}

    def read(self, path: str) -> str | None:
        edited = self._edited.get(path)
        return edited if edited is not None else self._tree.read(path)

    def has(self, path: str) -> bool:
        return path in self._edited or self._tree.has(path)

    def entries(self, path: str) -> tuple[str, ...]:
        return tuple(sorted({*self._tree.entries(path), *FileTree(self._edited).entries(path)}))

    def prefetch(self, paths: Iterable[str]) -> None:
        self._tree.prefetch(path for path in paths if path not in self._edited)


def check_way(tree: Tree, path: str) -> None:
    """Check that a file can be written at ``path``, over a file or where nothing is.

    Raises:
        Conflict: something else is there, or something that is no folder is where a folder must be.
    """
    folder, _, name = path.rpartition("/")
    entries = tree.entries(folder)
    if f"{name}/" in entries or (name in entries and not tree.has(path)):
        raise _in_the_way(path, "file")
    while folder:
        path = folder
        folder, _, name = path.rpartition("/")
        if name in tree.entries(folder):
            raise _in_the_way(path, "folder")


def _in_the_way(path: str, wanted: str) -> Conflict:
    """What to say where ``path`` is not what is ``wanted`` there: a file, or a folder."""
    others = {"file": "a link, a submodule or a folder", "folder": "a link, a submodule or a file"}[wanted]
    return Conflict(
        "Git", path, f"is {others}, where a {wanted} is needed", "Move or correct it, then retry."
    )


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization file that is there."""

    path: str
    text: str

    @property
    def folder(self) -> str:
        """The folder it is in; what it builds is this folder."""
        return posixpath.dirname(self.path)

    @property
    def namespace(self) -> str | None:
        """The one that it gives to all that it builds."""
        namespace = mapping_of(self.text).get("namespace")
        return None if namespace is None else str(namespace)

    @property
    def members(self) -> tuple[str, ...]:
        """Paths from the root of everything in the repository that it builds upon."""
        resolved = (resolve(self.folder, entry) for entry in entries_of(self.text))
        return tuple(path for path in resolved if path is not None)


def kustomization_of(tree: Tree, folder: str) -> Kustomization | None:
    """The kustomization file of ``folder``; None if it has none."""
    for name in FILE_NAMES:
        path = f"{folder}/{name}"
        text = tree.read(path)
        if text is not None:
            return Kustomization(path, text)
    return None


@dataclass(frozen=True, slots=True)
class Build:
    """What kustomize would read to build a folder, as far as the tree holds it."""

    folders: frozenset[str]
    files: Mapping[str, str]

    def named(self, kind: str) -> dict[str | None, tuple[str, Manifest]]:
        """By name, path and document of the manifests of ``kind``; the first of each name."""
        found: dict[str | None, tuple[str, Manifest]] = {}
        for path, text in self.files.items():
            for manifest in manifests_in(text, kind):
                found.setdefault(name_of(manifest), (path, manifest))
        return found


def build_of(tree: Tree, *starts: str) -> Build:
    """Follow the kustomizations from ``starts``, folders or files, to everything that they build upon."""
    folders: set[str] = set()
    files: dict[str, str] = {}
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in folders or path in files:
            continue
        if kustomization := kustomization_of(tree, path):
            folders.add(path)
            waiting += kustomization.members
        elif (text := tree.read(path)) is not None:
            files[path] = text
    return Build(frozenset(folders), files)


def manifests_in(text: str, *kinds: str) -> tuple[Manifest, ...]:
    """The objects of ``kinds`` in a manifest file, those of lists too; () in a file that is not YAML."""
    # Only an escape can hide a kind; most files need no parser.
    if "\\" not in text and not any(kind in text for kind in kinds):
        return ()
    found: list[Manifest] = []
    waiting = readable(text)[::-1]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, dict):
            continue
        if item.get("kind") in kinds:
            found.append(item)
        # As kustomize: whatever calls itself a list and has items is a list.
        if str(item.get("kind")).endswith("List"):
            waiting += items_of(item.get("items"))[::-1]
    return tuple(found)


def name_of(manifest: Manifest) -> str | None:
    """``metadata.name``."""
    name = field(manifest, "metadata", "name")
    return name if isinstance(name, str) else None


def yaml_files(tree: Tree, below: str = "") -> Iterator[str]:
    """Paths of all YAML files below a folder, except those too deep for a file system.

    Raises:
        Conflict: there are more folders than people make. Git keeps one that is there many times once, and
            nested that way a few objects are folders without end.
    """
    waiting, seen = [below], 0
    while waiting:
        folder = waiting.pop()
        seen += 1
        if seen > _MOST_FOLDERS:
            raise Conflict(
                "Git", folder, f"is beyond {_MOST_FOLDERS} folders", "Find what nests them, and remove it."
            )
        for name in tree.entries(folder):
            path = f"{folder}/{name}" if folder else name
            if name.endswith("/") and len(path) < PATH_MAX:
                waiting.append(path.removesuffix("/"))
            elif name.endswith((".yaml", ".yml")):
                yield path
