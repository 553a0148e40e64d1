"""Reading a commit's files as kustomize and ArgoCD see them.

A `Tree` is all that the runbook needs of a repository. `systems` makes one of a commit; `FileTree` is one of
plain texts, for what the edits would make of a commit.
"""

from __future__ import annotations

import difflib
import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from runbook.documents import documents_of
from runbook.kustomization import FILE_NAMES, entries_of, resolve
from runbook.names import NAME_PATTERN

Manifest = Mapping[str, Any]


class Tree(Protocol):
    """The files of one commit. Paths are relative to the repository's root, without a slash at an end."""

    def read(self, path: str) -> str | None:
        """The text of a file; None if there is no such file."""
        ...

    def entries(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted, folders with a slash behind; () if there is no such folder."""
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
        self._files = dict(files)

    def read(self, path: str) -> str | None:
        return self._files.get(path)

    def entries(self, path: str) -> tuple[str, ...]:
        prefix = f"{path}/" if path else ""
        below = (name.removeprefix(prefix) for name in self._files if name.startswith(prefix))
        return tuple(sorted({name.split("/")[0] + "/" * ("/" in name) for name in below}))


class EditedTree:
    """Another tree as it is once some edits are made."""

    def __init__(self, tree: Tree, edits: Iterable[FileEdit]) -> None:
        self._tree = tree
        self._edited = {edit.path: edit.after for edit in edits}
        self._new = FileTree(self._edited)

    def read(self, path: str) -> str | None:
        edited = self._edited.get(path)
        return edited if edited is not None else self._tree.read(path)

    def entries(self, path: str) -> tuple[str, ...]:
        return tuple(sorted({*self._tree.entries(path), *self._new.entries(path)}))


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

    def manifests(self, kind: str) -> Iterator[tuple[str, Manifest]]:
        """Path and document of each manifest of ``kind``."""
        for path, text in self.files.items():
            yield from ((path, manifest) for manifest in manifests_in(text, kind))


def build_of(tree: Tree, *starts: str) -> Build:
    """Follow the kustomizations from ``starts``, folders or files, to everything that they build upon."""
    folders: dict[str, None] = {}
    files: dict[str, str] = {}
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in folders or path in files:
            continue
        kustomization = kustomization_of(tree, path)
        if kustomization is not None:
            folders[path] = None
            waiting.extend(kustomization.members)
            continue
        text = tree.read(path)
        if text is not None:
            files[path] = text
    return Build(frozenset(folders), files)


def manifests_in(text: str, kind: str) -> tuple[Manifest, ...]:
    """The documents of ``kind`` in a manifest file; () in a file that is not YAML."""
    if not re.search(rf"""^kind:\s*["']?{kind}\b""", text, re.MULTILINE):
        return ()
    try:
        documents = documents_of(text)
    except yaml.YAMLError:
        return ()
    return tuple(item for item in documents if isinstance(item, dict) and item.get("kind") == kind)


def field(manifest: Manifest, *path: str) -> Any:
    """The value at ``path`` of nested mappings; None where one of them is missing."""
    value: Any = manifest
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def name_of(manifest: Manifest) -> str | None:
    """``metadata.name``."""
    name = field(manifest, "metadata", "name")
    return name if isinstance(name, str) else None


def folders_like(tree: Tree, template: str) -> tuple[tuple[str, str], ...]:
    """Environment and cluster of every folder that fits a layout's ``template``, sorted.

    ``template`` is a path with ``{env}`` and ``{cluster}`` in it.
    """
    found: list[tuple[str, dict[str, str]]] = [("", {})]
    for segment in template.split("/"):
        found = list(itertools.chain.from_iterable(_matching(tree, segment, *start) for start in found))
    return tuple(sorted((names["env"], names["cluster"]) for _, names in found if len(names) == 2))


def _matching(
    tree: Tree, segment: str, folder: str, names: dict[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    known = segment
    for key, value in names.items():
        known = known.replace(f"{{{key}}}", value)
    pattern = re.escape(known)
    for key in ("env", "cluster"):
        group = NAME_PATTERN.strip("^$")
        pattern = pattern.replace(re.escape(f"{{{key}}}"), f"(?P<{key}>{group})", 1)
    prefix = f"{folder}/" if folder else ""
    if pattern == re.escape(known):
        yield f"{prefix}{known}", names
        return
    for entry in tree.entries(folder):
        match = re.fullmatch(pattern, entry.removesuffix("/")) if entry.endswith("/") else None
        if match:
            yield f"{prefix}{match.group()}", {**names, **match.groupdict()}
