"""Reads YAML that other people wrote, and knows one error for all that can be wrong with it.

A repository belongs to many people, and one file in it must not stop the work on the clusters of all of
them. So a file is measured before anything is built of it: aliases make gigabytes of some hundred bytes, and
libyaml ends the whole process at brackets nested ten thousands deep. Many files below the limits are as bad
as one above them, so all that is read of a tree is counted together. What PyYAML's constructors raise (a date
of 30 February is a ValueError) becomes a YAMLError as well.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.errors import Conflict

MAX_CHARACTERS = 20_000_000
"""Of a file, and of its values with every alias expanded. The largest CRD in use has less than a million."""
MAX_NODES = 500_000
"""Values, keys, lists and mappings of a file, with every alias expanded; some 500 bytes of memory each."""
MAX_DEPTH = 150
"""Lists and mappings within one another. The schema of a CRD needs some 60."""

ALL_NODES, ALL_CHARACTERS = 4 * MAX_NODES, 10 * MAX_CHARACTERS
"""Of all files together that are parsed, and read, of one tree. The 3,000 files of a repository in use have
200,000 values and 7 million characters."""

_LONG_NUMBER = re.compile(r"[-+]?(0[xb][\da-fA-F_]{17,}|\d[\d_:.]{17,})")
"""Counts as the square of its length: so does the time for a number to base 60, and for keys of one hash."""

_SEVERAL = "it has several documents"

_BASE: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """PyYAML's safe loader, the one in C where there is one: an overlay is hundreds of files.

    Libyaml and the parser of kustomize come from one source, and agree about tabs.
    """


_Loader.add_constructor("tag:yaml.org,2002:value", _Loader.construct_yaml_str)
"""A plain ``=`` is text for everybody but PyYAML; the CRDs of the Prometheus operator have it in an enum."""


class DuplicateKey(yaml.MarkedYAMLError):
    """A mapping holds one key twice. YAML forbids it, and PyYAML by itself takes the last."""


class _UniqueKeys(_Loader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise DuplicateKey(problem="a key stands there twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def documents_of(text: str) -> list[Any]:
    """All documents of a file.

    Raises:
        yaml.YAMLError: it is not YAML, says a value that there is not, or is larger than the limits above.
    """
    return _all_of(text, yaml.load_all, _Loader)


def document_of(text: str, *, unique_keys: bool = False) -> Any:
    """The one document of a file, which may have empty ones behind it; None if the file is empty.

    Raises:
        yaml.YAMLError: as `documents_of`, or there are several.
        DuplicateKey: with ``unique_keys``, a mapping holds one key twice.
    """
    first, *more = _all_of(text, yaml.load_all, _UniqueKeys if unique_keys else _Loader) or [None]
    if any(document is not None for document in more):
        raise yaml.YAMLError(_SEVERAL)
    return first


def readable(text: str) -> list[Any]:
    """All documents of a file; none of one that is not YAML, or larger than the limits above."""
    try:
        return documents_of(text)
    except yaml.YAMLError:
        return []


def mapping_of(text: str) -> dict[Any, Any]:
    """The one document of a file, if it is a mapping; else nothing, as of a file that is not YAML."""
    try:
        document = document_of(text)
    except yaml.YAMLError:
        return {}
    return document if isinstance(document, dict) else {}


def field(value: Any, *path: str) -> Any:
    """The value at ``path`` of nested mappings; None where one of them is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items_of(value: Any) -> list[Any]:
    """The items of a list; none of anything else."""
    return value if isinstance(value, list) else []


def mappings_of(value: Any, *path: str) -> list[Mapping[str, Any]]:
    """The mappings in the list at ``path``; none of anything else."""
    return [item for item in items_of(field(value, *path)) if isinstance(item, Mapping)]


def node_of(text: str) -> yaml.Node | None:
    """The one document of a file as nodes, which know where in the text they stand.

    Raises:
        yaml.YAMLError: as `document_of`.
    """
    nodes = nodes_of(text)
    if any(not isinstance(node, yaml.ScalarNode) or node.value for node in nodes[1:]):
        raise yaml.YAMLError(_SEVERAL)
    return nodes[0] if nodes else None


def nodes_of(text: str) -> list[yaml.Node]:
    """All documents of a file as nodes.

    Raises:
        yaml.YAMLError: as `documents_of`.
    """
    return _all_of(text, yaml.compose_all, _Loader)


def node_at(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key in a mapping; None where there is none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _all_of(text: str, read: Callable[..., Iterator[Any]], loader: type[Any]) -> list[Any]:
    check_size(text)
    with _one_error():
        return list(read(text, Loader=loader))


@dataclass(slots=True)
class _Size:
    nodes: int
    error: yaml.YAMLError | None = None
    files: int = 0
    """For how many the nodes were counted."""


class _Reading:
    """The files of one tree: the paths of each text, and its size once it is parsed."""

    def __init__(self, nodes: int, characters: int) -> None:
        self._most_nodes, self._most_characters = nodes, characters
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._sizes: dict[str, _Size] = {}
        self._nodes = self._characters = 0

    def add(self, path: str, text: str) -> None:
        """Count the characters of a text that is in memory once, however many files have it."""
        self._characters += len(text) if text not in self._paths else 0
        self._paths[text].add(path)
        if self._characters > self._most_characters:
            raise self._too_large(max(self._paths, key=len), f"{self._most_characters:,} characters")

    def size_of(self, text: str) -> _Size:
        """Measure a text once, and count its nodes for each file that has it: each is parsed by itself."""
        size = self._sizes.get(text)
        if size is None:
            size = self._sizes[text] = _measured(text)
        more = len(self._paths.get(text, ())) - size.files
        size.files += more
        self._nodes += more * size.nodes
        if self._nodes > self._most_nodes:
            files = [one for one in self._sizes if one in self._paths]
            largest = max(files, key=lambda one: self._sizes[one].nodes)
            raise self._too_large(largest, f"{self._most_nodes:,} values with their aliases expanded")
        return size

    def _too_large(self, text: str, what: str) -> Conflict:
        return Conflict(
            "Git",
            min(self._paths[text]),
            f"is the largest of files that are too large together: they have more than {what}",
            "Remove what is not a manifest from the repository, then retry.",
        )


_READING: ContextVar[_Reading | None] = ContextVar("reading", default=None)


@contextlib.contextmanager
def one_tree(nodes: int = ALL_NODES, characters: int = ALL_CHARACTERS) -> Iterator[None]:
    """Count all files together that are read inside, up to these limits."""
    token = _READING.set(_Reading(nodes, characters))
    try:
        yield
    finally:
        _READING.reset(token)


def named(path: str, text: str) -> str:
    """``text``, which is counted as the file at ``path`` from now on.

    Raises:
        Conflict: it is one file too many.
    """
    reading = _READING.get()
    if reading is not None:
        reading.add(path, text)
    return text


def check_size(text: str) -> None:
    """Refuse a file that would be too large or too deep in memory.

    Raises:
        yaml.YAMLError: it is, or it is not YAML.
        Conflict: it is one file too many of a tree.
    """
    reading = _READING.get()
    error = (reading.size_of(text) if reading else _measured(text)).error
    if error is not None:
        raise error.with_traceback(None)


def _measured(text: str) -> _Size:
    """The size of a text, up to where it is too large or no YAML."""
    nodes = characters = 0
    started: list[tuple[str | None, int, int]] = []
    sizes: dict[str | None, tuple[int, int] | None] = {}
    try:
        if len(text) > MAX_CHARACTERS:
            raise _too_large(f"{len(text):,} characters, of at most {MAX_CHARACTERS:,}")
        with _one_error():
            for event in yaml.parse(text, Loader=_Loader):
                anchor = getattr(event, "anchor", None)
                if isinstance(event, yaml.AliasEvent):
                    size = sizes.get(anchor, (1, 0))
                    if size is None:
                        raise yaml.YAMLError("an anchor is within itself")
                    nodes, characters = nodes + size[0], characters + size[1]
                elif isinstance(event, yaml.ScalarEvent):
                    is_number = (event.tag or not event.style) and _LONG_NUMBER.fullmatch(event.value)
                    size = (len(event.value) ** 2 if is_number else 1, len(event.value))
                    nodes, characters = nodes + size[0], characters + size[1]
                    sizes[anchor] = size
                elif isinstance(event, yaml.CollectionStartEvent):
                    started.append((anchor, nodes, characters))
                    sizes[anchor] = None
                    nodes += 1
                elif isinstance(event, yaml.CollectionEndEvent):
                    anchor, nodes_before, characters_before = started.pop()
                    sizes[anchor] = (nodes - nodes_before, characters - characters_before)
                elif isinstance(event, yaml.DocumentStartEvent):
                    sizes.clear()
                if len(started) > MAX_DEPTH:
                    raise _too_large(f"more than {MAX_DEPTH} lists and mappings within one another")
                if nodes > MAX_NODES or characters > MAX_CHARACTERS:
                    limits = f"{MAX_NODES:,} values or {MAX_CHARACTERS:,} characters"
                    raise _too_large(f"more than {limits} with its aliases expanded")
    except yaml.YAMLError as error:
        return _Size(min(nodes, MAX_NODES), error.with_traceback(None))
    return _Size(nodes)


def _too_large(what: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"too large: {what}")


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except (ValueError, ArithmeticError, AttributeError, LookupError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error
