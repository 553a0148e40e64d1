"""What kustomize gets to read for a build: nothing from outside the repository, nothing that it would run.

Kustomizations are written anew from what we understood of them, so that kustomize cannot find an address, a
plugin or a path in them that we did not see. What may not or cannot be used here is left out and named: the
build then still tells what becomes of everything else.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from runbook.documents import document_of, field, items_of, readable
from runbook.gitops.tree import Tree
from runbook.kustomization import FILE_NAMES, LISTS, resolve

_PLUGINS = ("generators", "transformers", "validators")
_HELM = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_PATHS = {"path", "paths", "files", "envs", "env", "crds", "configurations", "patchesStrategicMerge"}
"""Keys whose values kustomize reads as files, or fetches where they are addresses."""

_REMOTE = re.compile(r"://|^[\w.-]+@[\w.-]+:|^git::|[?&]ref=|\.git(/|$)|^[\w-]+(\.[\w-]+)+[:/]")
"""Spellings of an address of Git or HTTP, for what is not in the repository."""

_ADDRESS = re.compile(r"\s*(https?:|\w+::)", re.IGNORECASE)


class Sources:
    """The files for a build.

    Attributes:
        kustomizations: text by path.
        files: paths of the other files, to be copied as they are.
        left_out: what kustomize does not get to see, a sentence each.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.kustomizations: dict[str, str] = {}
        self.files: set[str] = set()
        self.left_out: dict[str, None] = {}

    def add(self, folder: str) -> Iterator[str]:
        """Take in the kustomization of ``folder``; yields the folders that it builds upon."""
        for name in FILE_NAMES:
            path = posixpath.join(folder, name)
            text = self._tree.read(path)
            if text is None:
                continue
            try:
                document = document_of(text)
                kept = dict(self._kept(folder, document)) if isinstance(document, dict) else document
                self.kustomizations[path] = json.dumps(kept, default=str, allow_nan=False)
            except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
                self.left_out[f"{path}, which cannot be read ({' '.join(str(error).split())[:200]})"] = None
                continue
            entries = (entry for key in LISTS for entry in items_of(field(kept, key)))
            paths = (resolve(folder, entry) for entry in entries if isinstance(entry, str))
            yield from ("" if path == "." else path for path in paths if path and path not in self.files)

    def _kept(self, folder: str, document: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
        for key, value in document.items():
            if key in _HELM:
                self._leave_out(folder, key, "Helm is not run here")
            elif key in _PLUGINS:
                yield key, [item for item in items_of(value) if self._runs_here(folder, key, item)]
            elif key in LISTS:
                kept = [item for item in items_of(value) if self._is_here(folder, key, item)]
                yield key, kept if isinstance(value, list) else value
            else:
                kept = self._without_addresses(folder, key, value)
                self._take_files(folder, key, kept)
                yield key, kept

    def _leave_out(self, folder: str, key: object, why: str) -> None:
        self.left_out[f"{key} of {folder}: {why}"] = None

    def _is_here(self, folder: str, key: str, entry: object) -> bool:
        """Whether kustomize may see this entry: one of the repository, be it there or not."""
        if not isinstance(entry, str):
            return True
        path = resolve(folder, entry)
        if path is not None and self._tree.has(path):
            self.files.add(path)
            return True
        if path is not None and (path == "." or self._tree.entries(path)):
            return True
        if path is None or _REMOTE.search(entry):
            self._leave_out(folder, key, f"{entry} is not in this repository, and nothing is fetched")
            return False
        return not self._is_behind_link(folder, key, entry, path)

    def _is_behind_link(self, folder: str, key: object, entry: str, path: str) -> bool:
        """Whether ``path``, where no file and no folder is, leads to or through what is not copied.

        If so, that is said.
        """
        while path:
            path, name = posixpath.split(path)
            if name in self._tree.entries(path):
                self._leave_out(folder, key, f"{entry} is behind a link or a submodule")
                return True
        return False

    def _runs_here(self, folder: str, key: str, entry: object) -> bool:
        """Whether a plugin is one of kustomize's own, without an address in it."""
        if not isinstance(entry, str):
            return True
        path = None if "\n" in entry else resolve(folder, entry)
        text = entry if "\n" in entry else self._tree.read(path) if path else None
        configurations = readable(text or "")
        if not configurations or not all(map(_is_own, configurations)):
            kinds = [str(one.get("kind")) for one in configurations if isinstance(one, dict)]
            what = " ".join(kinds) or "not a file of this repository"
            first, _, _ = entry.partition("\n")
            self._leave_out(folder, key, f"{first} ({what}) is not run here")
            return False
        if path:
            self.files.add(path)
        self._take_files(folder, key, configurations)
        return True

    def _without_addresses(self, folder: str, key: object, value: Any) -> Any:
        if isinstance(value, list):
            kept = [item for item in value if not _has_address(key, item)]
            if len(kept) < len(value):
                self._leave_out(folder, key, "an address in it is not fetched")
            return kept
        if _has_address(key, value):
            self._leave_out(folder, key, "the address in it is not fetched")
            return None
        return value

    def _take_files(self, folder: str, key: object, value: Any) -> None:
        """Take in every file that a value of a kustomization names, whatever the field."""
        for text in _paths_in(key, value):
            path = resolve(folder, text)
            if path is None or path in self.kustomizations:
                continue
            if self._tree.has(path):
                self.files.add(path)
            else:
                self._is_behind_link(folder, key, text, path)


def sources_of(tree: Tree, folder: str) -> Sources:
    """Follow the kustomizations from ``folder`` to everything that kustomize needs to build it."""
    sources, waiting, seen = Sources(tree), [folder], set()
    while waiting:
        if (path := waiting.pop()) not in seen:
            seen.add(path)
            waiting += sources.add(path)
    return sources


def _paths_in(key: object, value: Any) -> Iterator[str]:
    """The values below ``value`` that stand where kustomize expects a path."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _paths_in(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths_in(key, item)
    elif isinstance(value, str) and key in _PATHS and "\n" not in value.strip():
        # A generator's files may have another name: name=path.
        yield value.partition("=")[2] if key == "files" and "=" in value else value


def _has_address(key: object, value: Any) -> bool:
    return any(_ADDRESS.match(path) for path in _paths_in(key, value))


def _is_own(configuration: Any) -> bool:
    is_builtin = field(configuration, "apiVersion") == "builtin"
    is_helm = "Helm" in str(field(configuration, "kind"))
    return is_builtin and not is_helm and not _has_address("", configuration)
