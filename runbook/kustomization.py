"""Adds one entry to the `resources` of a kustomization file, as a person would.

Kustomization files are edited by hand, each in its own style: lists indented by 0, 2, 4 or 6, some sorted,
some not, comments and blank lines between the entries, patches before or after. Loading such a file and
writing it back reformats all of it, and the reviewer cannot see the one line that matters. So the text is
kept, one line goes in, and the parsed documents before and after are compared.
"""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import re
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.documents import document_of
from runbook.errors import Conflict, UnexpectedAnswer

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What kustomize looks for in a folder, in its order."""

_LISTS = ("resources", "bases", "components")
_DEFAULT_INDENT = "  "
_NUMBER = re.compile(r"[-+.]?\d[\d_]*\.?[\d_]*([eE][-+]?\d+)?$|0[xob][\da-f_]+$", re.IGNORECASE)
"""What some reader of YAML 1.1 or 1.2 may take for a number, 1e3 and 0o17 among them."""


def normalised(entry: str) -> str:
    """``entry`` without ``./`` in front and without a trailing slash: kustomize reads all spellings alike."""
    return posixpath.normpath(entry) if "://" not in entry else entry.rstrip("/")


def entries_of(text: str) -> tuple[str, ...]:
    """Everything that a kustomization builds upon: `resources`, `bases` and `components`, in their order.

    What is not a kustomization (broken YAML, no mapping) builds upon nothing.
    """
    try:
        document = document_of(text)
    except yaml.YAMLError:
        return ()
    if not isinstance(document, dict):
        return ()
    lists = [document.get(key) for key in _LISTS]
    entries = itertools.chain.from_iterable(entries for entries in lists if isinstance(entries, list))
    return tuple(entry for entry in entries if isinstance(entry, str))


def resolve(folder: str, entry: str) -> str | None:
    """Path from the repository's root of what ``entry`` of the kustomization in ``folder`` names.

    None for an address on the network, and for a path that leaves the repository.
    """
    if "://" in entry or entry.startswith(("/", "git@", "github.com/")):
        return None
    path = posixpath.normpath(posixpath.join(folder, entry))
    return None if path == ".." or path.startswith("../") else path


def scalar(value: str) -> str:
    """``value`` as YAML: plain where every YAML reader takes it for a string, else in single quotes.

    Names of clusters and namespaces may look like something else: ``on``, ``123``, ``1e3``.
    """
    plain = _load(value) == value and not _NUMBER.match(value) and not set(value) & set(",[]{}")
    return value if plain else "'" + value.replace("'", "''") + "'"


def insert_resource(text: str, entry: str, path: str = "kustomization.yaml") -> str:
    """Return ``text`` with ``entry`` added to its `resources`, and nothing else changed.

    The entry goes to its sorted place among its neighbours (those in the same folder, else those on the same
    side of the overlay's border, else all) if they are sorted, and behind the last of them if not. A text
    that lists the entry already, in any spelling, is returned as it is.

    Args:
        text: a kustomization file.
        entry: a path relative to the file's folder.
        path: how errors name the file.

    Raises:
        Conflict: the file cannot be edited safely: not one YAML mapping, `resources` twice or not a list
            of paths.
        UnexpectedAnswer: the edit changed more than the one item (a fault in here; nothing is written).
    """
    if normalised(entry) in {normalised(known) for known in entries_of(text)}:
        return text
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _cannot_edit(path, f"is not one YAML document: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise _cannot_edit(path, "is not a YAML mapping")
    values = [(key, value) for key, value in root.value if key.value == "resources"]
    if len(values) > 1:
        raise _cannot_edit(path, "has `resources` more than once")
    if not values:
        edited = _append_list(text, root, entry, path)
    else:
        key, value = values[0]
        if value.start_mark.index < key.end_mark.index:
            raise _cannot_edit(path, "has an alias as its `resources`")
        edited = _extend(text, root, value, entry, path)
    _assert_only_added(text, edited, entry, path)
    return edited


def _cannot_edit(path: str, answer: str) -> Conflict:
    return Conflict("Git", path, answer, "Correct the file by hand, then run again.")


def _extend(text: str, root: yaml.MappingNode, value: yaml.Node, entry: str, path: str) -> str:
    if isinstance(value, yaml.SequenceNode):
        if any(not isinstance(item, yaml.ScalarNode) for item in value.value):
            raise _cannot_edit(path, "has `resources` that are not paths")
        if not value.value:
            return _fill_empty(text, root, value, entry)
        return (_insert_in_flow if value.flow_style else _insert_line)(text, value, entry)
    if value.tag == "tag:yaml.org,2002:null":
        return _fill_empty(text, root, value, entry)
    raise _cannot_edit(path, "has `resources` that are not a list")


@dataclass(frozen=True, slots=True)
class _Place:
    """Beside which item the entry goes."""

    item: int
    after: bool


def _place(known: list[str], entry: str) -> _Place:
    """Where ``entry`` goes among ``known``, which is not empty. All are normalised."""
    group = _neighbours(known, entry)
    names = [known[index] for index in group]
    if names == sorted(names):
        smaller = [index for index in group if known[index] < entry]
        return _Place(smaller[-1], after=True) if smaller else _Place(group[0], after=False)
    return _Place(group[-1], after=True)


def _neighbours(known: list[str], entry: str) -> list[int]:
    """Indices of the entries that ``entry`` belongs to: never empty."""
    outside = entry.startswith("..")
    same_side = [index for index, name in enumerate(known) if name.startswith("..") == outside]
    if outside:
        folder = posixpath.dirname(entry)
        same_folder = [index for index in same_side if posixpath.dirname(known[index]) == folder]
        return same_folder or same_side or list(range(len(known)))
    return same_side or list(range(len(known)))


def _written(entry: str, neighbour: yaml.ScalarNode) -> str:
    """``entry`` quoted as ``neighbour`` is."""
    return f"{neighbour.style}{entry}{neighbour.style}" if neighbour.style in ("'", '"') else scalar(entry)


def _insert_line(text: str, sequence: yaml.SequenceNode, entry: str) -> str:
    items: list[yaml.ScalarNode] = sequence.value
    place = _place([normalised(item.value) for item in items], normalised(entry))
    neighbour = items[place.item]
    line_start = _line_start(text, neighbour.start_mark.index)
    start = text[line_start : neighbour.start_mark.index]
    if start.strip() != "-":  # the item does not stand behind its dash, but below it
        start = " " * sequence.start_mark.column + "- "
    line = start + _written(entry, neighbour)
    if place.after:
        return _insert_below(text, neighbour.end_mark.index, line)
    # Comments above an item speak of it, and stay with it; above the first one they speak of the list.
    while place.item > 0 and text[_line_start(text, line_start - 1) : line_start].lstrip().startswith("#"):
        line_start = _line_start(text, line_start - 1)
    return f"{text[:line_start]}{line}{_line_ending(text)}{text[line_start:]}"


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _insert_below(text: str, index: int, line: str) -> str:
    """``text`` with ``line`` below the line in which ``index`` is."""
    end, ending = text.find("\n", index) + 1, _line_ending(text)
    if end == 0:  # the last line, and it is not ended
        return f"{text}{ending}{line}{ending}"
    return f"{text[:end]}{line}{ending}{text[end:]}"


def _insert_in_flow(text: str, sequence: yaml.SequenceNode, entry: str) -> str:
    items: list[yaml.ScalarNode] = sequence.value
    place = _place([normalised(item.value) for item in items], normalised(entry))
    neighbour = items[place.item]
    written = _written(entry, neighbour)
    if place.after:
        at = neighbour.end_mark.index
        return f"{text[:at]}, {written}{text[at:]}"
    at = neighbour.start_mark.index
    return f"{text[:at]}{written}, {text[at:]}"


def _fill_empty(text: str, root: yaml.MappingNode, value: yaml.Node, entry: str) -> str:
    """`resources:` with nothing, with `null` or with `[]` behind it."""
    start, end = value.start_mark.index, value.end_mark.index
    if root.flow_style:
        return f"{text[:start]}[{scalar(entry)}]{text[end:]}"
    key = next(key for key, node in root.value if node is value)
    if start != end:
        text = text[:start].rstrip(" ") + text[end:]
    return _insert_below(text, key.end_mark.index, f"{_indent(root)}- {scalar(entry)}")


def _append_list(text: str, root: yaml.MappingNode, entry: str, path: str) -> str:
    if root.flow_style:
        raise _cannot_edit(path, "has no `resources`, and is written on one line")
    ending = _line_ending(text)
    start = text if text.endswith("\n") else text + ending
    return f"{start}{' ' * root.start_mark.column}resources:{ending}{_indent(root)}- {scalar(entry)}{ending}"


def _indent(root: yaml.MappingNode) -> str:
    """Blanks before the dashes of the file's other lists."""
    for _, value in root.value:
        if isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style:
            return " " * value.start_mark.column
    return " " * root.start_mark.column + _DEFAULT_INDENT


def _assert_only_added(before: str, after: str, entry: str, path: str) -> None:
    old, new = _load(before), _load(after)
    resources: Any = new.get("resources") if isinstance(new, dict) else None
    if isinstance(old, dict) and isinstance(resources, list) and resources.count(entry) == 1:
        # New lists, not changed ones: an alias elsewhere in the file may be the same object.
        without = {**new, "resources": [item for item in resources if item != entry]}
        with contextlib.suppress(RecursionError):  # of an anchor that is within itself
            if without == {**old, "resources": old.get("resources") or []}:
                return
    raise UnexpectedAnswer(
        "Git",
        path,
        f"adding {entry!r} to `resources` would change more than this one item",
        "Add the line by hand, then run again, and report the file: its style is not understood.",
    )


def _load(text: str) -> Any:
    try:
        return document_of(text)
    except yaml.YAMLError:
        return None
