"""Adds one entry to the `resources` of a kustomization file, as a person would.

Kustomization files are edited by hand, each in its own style: lists indented by 0, 2, 4 or 6, some sorted,
some not, comments and blank lines between the entries, patches before or after. Loading such a file and
writing it back reformats all of it, and the reviewer cannot see the one line that matters. So the text is
kept, one line goes in, and the parsed documents before and after are compared.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

import yaml

from runbook.documents import document_of, items_of, mapping_of, node_of
from runbook.errors import Conflict, UnexpectedAnswer
from runbook.lines import ending, insert_above, insert_below, last_of_item, lines_of

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What kustomize looks for in a folder, in its order."""

LISTS = ("resources", "bases", "components")
"""Keys of what a kustomization builds upon."""

_DEFAULT_INDENT = "  "
_BYTE_ORDER_MARK = "\ufeff"
_NUMBER = re.compile(r"[-+.]?\d[\d_]*(\.[\d_]*)?([eE][-+]?\d+)?$|0[xob][\da-f_]+$", re.IGNORECASE)
"""What some reader of YAML 1.1 or 1.2 may take for a number, 1e3 and 0o17 among them."""


def normalised(entry: str) -> str:
    """``entry`` without ``./`` in front and without a trailing slash: kustomize reads all spellings alike."""
    return posixpath.normpath(entry) if "://" not in entry else entry.rstrip("/")


def entries_of(text: str) -> tuple[str, ...]:
    """Everything that a kustomization builds upon: `resources`, `bases` and `components`, in their order.

    What is not a kustomization (broken YAML, no mapping) builds upon nothing.
    """
    document = mapping_of(text)
    entries = (entry for key in LISTS for entry in items_of(document.get(key)))
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
    if text.startswith(_BYTE_ORDER_MARK):  # libyaml does not count it
        return _BYTE_ORDER_MARK + insert_resource(text[1:], entry, path)
    try:
        root = node_of(text)
    except yaml.YAMLError as error:
        raise _cannot_edit(path, f"is not one YAML document: {error}") from error
    if not isinstance(root, yaml.MappingNode):
        raise _cannot_edit(path, "is not a YAML mapping")
    values = [(key, value) for key, value in root.value if key.value == "resources"]
    if len(values) > 1:
        raise _cannot_edit(path, "has `resources` more than once")
    edited = _extend(text, root, *values[0], entry, path) if values else _append_list(text, root, entry)
    _assert_only_added(text, edited, entry, path)
    return edited


def _cannot_edit(path: str, answer: str) -> Conflict:
    return Conflict("Git", path, answer, "Correct the file by hand, then retry.")


def _extend(
    text: str, root: yaml.MappingNode, key: yaml.ScalarNode, value: yaml.Node, entry: str, path: str
) -> str:
    if value.start_mark.index < key.end_mark.index:
        raise _cannot_edit(path, "has an alias as its `resources`")
    if value.tag == "tag:yaml.org,2002:null":
        return _fill_empty(text, root, key, value, entry)
    if not isinstance(value, yaml.SequenceNode):
        raise _cannot_edit(path, "has `resources` that are not a list")
    if not value.value:
        return _fill_empty(text, root, key, value, entry)
    if any(not isinstance(item, yaml.ScalarNode) for item in value.value):
        raise _cannot_edit(path, "has `resources` that are not paths")
    return insert_item(text, value, entry)


def _place(known: list[str], entry: str) -> tuple[int, bool]:
    """Beside which of ``known``, which is not empty, ``entry`` goes, and whether behind it."""
    group = _neighbours(known, entry)
    names = [known[index] for index in group]
    if names != sorted(names):
        return group[-1], True
    smaller = [index for index in group if known[index] < entry]
    return (smaller[-1], True) if smaller else (group[0], False)


def _neighbours(known: list[str], entry: str) -> list[int]:
    """Indices of the entries that ``entry`` belongs to: never empty."""
    outside, folder = entry.startswith(".."), posixpath.dirname(entry)
    same_side = [index for index, name in enumerate(known) if name.startswith("..") == outside]
    same_folder = [index for index in same_side if outside and posixpath.dirname(known[index]) == folder]
    return same_folder or same_side or list(range(len(known)))


def quoted_like(entry: str, neighbour: yaml.ScalarNode) -> str:
    """``entry`` quoted as ``neighbour`` is."""
    return f"{neighbour.style}{entry}{neighbour.style}" if neighbour.style in ("'", '"') else scalar(entry)


def insert_item(text: str, sequence: yaml.SequenceNode, entry: str) -> str:
    """``entry`` beside the item where it belongs: on a line of its own, unless several share one.

    Args:
        text: one YAML document.
        sequence: a list in it that is not empty, of scalars alone.
        entry: the new item.
    """
    items: list[yaml.ScalarNode] = sequence.value
    place, behind = _place([normalised(item.value) for item in items], normalised(entry))
    lines, neighbour, in_brackets = lines_of(text), items[place], sequence.flow_style
    written = quoted_like(entry, neighbour)

    def last_of(item: yaml.ScalarNode) -> int:
        column = item.start_mark.column if in_brackets else sequence.start_mark.column
        return last_of_item(lines, item.end_mark.line, column)

    number = neighbour.start_mark.line
    before = lines[number][: neighbour.start_mark.column]
    comma = ""
    if in_brackets:
        start, end = neighbour.start_mark.index, neighbour.end_mark.index
        rest = lines[neighbour.end_mark.line][neighbour.end_mark.column :].partition("#")[0].strip()
        if behind and (before.strip() or rest not in ("", ",")):
            return f"{text[:end]}, {written}{text[end:]}"
        if before.strip():
            return f"{text[:start]}{written}, {text[start:]}"
        if rest or not behind:
            comma = ","
        else:
            lines = lines_of(f"{text[:end]},{text[end:]}")
    elif before.strip() != "-":  # the item does not stand behind its dash, but below it
        before = " " * sequence.start_mark.column + "- "
        while number and not re.match(" *-", lines[number]):
            number -= 1
    if behind:
        insert_below(lines, last_of(neighbour), f"{before}{written}{comma}")
    else:
        lowest = last_of(items[place - 1]) + 1 if place else 0
        insert_above(lines, number, f"{before}{written}{comma}", lowest)
    return "".join(lines)


def _fill_empty(text: str, root: yaml.MappingNode, key: yaml.ScalarNode, value: yaml.Node, entry: str) -> str:
    """`resources:` with nothing, with `null` or with `[]` behind it."""
    start, end = value.start_mark.index, value.end_mark.index
    written, first = quoted_like(entry, key), value.start_mark.line
    if value.end_mark.line > first:
        lines = lines_of(text)
        lines.insert(value.end_mark.line, f"{_indent(root)}{written}{ending(lines, first)}")
        return "".join(lines)
    if root.flow_style:
        return f"{text[:start]}[{written}]{text[end:]}"
    if start != end and first > key.end_mark.line:
        return f"{text[:start]}- {written}{text[end:]}"
    lines = lines_of(text[:start].rstrip(" \t") + text[end:] if start != end else text)
    insert_below(lines, key.end_mark.line, f"{_indent(root)}- {written}")
    return "".join(lines)


def _append_list(text: str, root: yaml.MappingNode, entry: str) -> str:
    if root.flow_style:
        at = root.start_mark.index + 1
        more = ", " if root.value else ""
        return f'{text[:at]}"resources": ["{entry}"]{more}{text[at:]}'
    at = root.end_mark.index  # behind it there may be `...`
    before = lines_of(text[:at])
    ends = ending(lines_of(text), len(before) - 1)
    if before[-1]:
        before.append(ends)
    added = (f"{' ' * root.start_mark.column}resources:", f"{_indent(root)}- {scalar(entry)}")
    return "".join([*before, *(line + ends for line in added), text[at:]])


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
        if without == {**old, "resources": old.get("resources") or []}:
            return
    raise UnexpectedAnswer(
        "Git",
        path,
        f"adding {entry!r} to `resources` would change more than this one item",
        "Add the line by hand, then retry, and report the file: its style is not supported.",
    )


def _load(text: str) -> Any:
    try:
        return document_of(text)
    except yaml.YAMLError:
        return None
