"""Adds an element for one more cluster to the list of an ApplicationSet, as a person would.

Whose element is whose tells the folder that it leads to. Where the siblings have the name of their cluster or
environment, ours has its own; what is the same in all is taken over. Anything else nobody can tell but a
person. The text is kept but for the new lines, and the parsed documents before and after are compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.documents import documents_of, node_at, nodes_of
from runbook.errors import PrerequisiteMissing
from runbook.gitops.application_sets.parameters import Where
from runbook.kustomization import quoted_like
from runbook.lines import insert_below, last_of_item, lines_of
from runbook.names import Cluster

_CLUSTER, _ENV = "\x00cluster\x00", "\x00env\x00"
_BOUND = "(?<![0-9A-Za-z]){}(?![0-9A-Za-z])"
_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*")
_EMPTY_LINE = re.compile(r"(\r?\n)(?:[ \t]*\r?\n)+")
_ANY_HUB = "https://kubernetes.default.svc"
"""The address of ArgoCD's own cluster, on every cluster."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """An element of a list that is one cluster's.

    Attributes:
        index: in the list.
        env: None where the folder that it leads to does not tell.
        cluster: its name.
    """

    index: int
    env: str | None
    cluster: str


@dataclass(frozen=True, slots=True)
class ElementList:
    """A list of elements in a file of ApplicationSets.

    Attributes:
        file: its path.
        text: of the file.
        document: which of its documents.
        path: where the list is in that.
        siblings: at least one.
    """

    file: str
    text: str
    document: int
    path: Where
    siblings: Sequence[Sibling]

    def grown(self, target: Cluster) -> str | None:
        """The text with an element for ``target``; None where no element has its cluster's name.

        Raises:
            PrerequisiteMissing: what it must say cannot be told, or the list cannot be edited safely.
        """
        sequence = _at(nodes_of(self.text)[self.document], self.path)
        if not isinstance(sequence, yaml.SequenceNode):
            raise self._by_hand(target, "the list is written with an anchor or a merge key")
        leaves = [_leaves(sequence.value[sibling.index]) for sibling in self.siblings]
        values = self._values(leaves, target)
        if not any(value != leaves[-1][path].value for path, value in values.items()):
            return None
        for index, item in enumerate(sequence.value):
            there = _leaves(item)
            named = [path for path, value in values.items() if value != leaves[-1][path].value]
            if all(path in there and there[path].value == values[path] for path in named):
                raise self._by_hand(target, f"element {index + 1} is named like it, and leads elsewhere")
        item = sequence.value[self.siblings[-1].index]
        written = _written(self.text, item, leaves[-1], values)
        edited = None if written is None else _inserted(self.text, sequence, item, written)
        if edited is None or not self._is_one_more(edited, values):
            raise self._by_hand(target, "the list is written in a style that cannot be edited safely")
        return edited

    def _values(self, leaves: Sequence[Mapping[Where, yaml.ScalarNode]], target: Cluster) -> dict[Where, str]:
        if any(set(one) != set(leaves[0]) for one in leaves):
            raise self._by_hand(target, "the elements of other clusters have different keys")
        told = {path: self._value([one[path] for one in leaves], target) for path in leaves[0]}
        unknown = [".".join(map(str, path)) for path, value in told.items() if value is None]
        if unknown:
            raise self._by_hand(target, f"the elements of other clusters do not tell {', '.join(unknown)}")
        return {path: value for path, value in told.items() if value is not None}

    def _value(self, nodes: Sequence[yaml.ScalarNode], target: Cluster) -> str | None:
        """What our element has where the siblings have ``nodes``; None where that cannot be told."""
        if len({node.tag for node in nodes}) > 1:
            return None
        every = [_templates(node.value, one) for node, one in zip(nodes, self.siblings, strict=True)]
        common = set.intersection(*every)
        most = max((template.count("\x00") for template in common), default=0)
        values = {
            template.replace(_CLUSTER, target.name).replace(_ENV, target.env)
            for template in common
            if template.count("\x00") == most
        }
        if len(values) != 1:
            return None
        (value,) = values
        # One address alone may be that of one cluster alone.
        is_alone = len(nodes) == 1 and not most and "://" in value and not value.startswith(_ANY_HUB)
        return None if is_alone else value

    def _by_hand(self, target: Cluster, why: str) -> PrerequisiteMissing:
        names = ", ".join(one.cluster for one in self.siblings[:3])
        where = ".".join(map(str, self.path))
        return PrerequisiteMissing(
            "Git",
            self.file,
            f"its list {where} has no element for {target}, and none can be made: {why}",
            f"Add the element for {target} there by hand, like that of {names}, then retry.",
        )

    def _is_one_more(self, edited: str, values: Mapping[Where, str]) -> bool:
        """Whether the edit added one element of these values to the list's end, and changed nothing else."""
        try:
            before, after = documents_of(self.text), documents_of(edited)
            added: Any = after[self.document]
            for key in self.path:
                added = added[key]
            if _times_in(after[self.document], added) > 1:  # by an alias, it would grow there, too
                return False
            added.pop()
            element = _at(nodes_of(edited)[self.document], (*self.path, len(added)))
        except (yaml.YAMLError, LookupError, TypeError, AttributeError):
            return False
        has_them = element is not None and {at: leaf.value for at, leaf in _leaves(element).items()} == values
        return has_them and before == after


def _times_in(document: Any, wanted: object) -> int:
    """How often the very same list is in a parsed document."""
    if document is wanted:
        return 1
    values = document.values() if isinstance(document, Mapping) else document
    return sum(_times_in(one, wanted) for one in values) if isinstance(document, Mapping | list) else 0


def _templates(value: str, sibling: Sibling) -> set[str]:
    """What a value may mean: itself, or with the names of the sibling's cluster and environment in it."""
    names = [(_BOUND.format(re.escape(sibling.cluster)), _CLUSTER)]
    if sibling.env is not None:
        names.append((_BOUND.format(re.escape(sibling.env)), _ENV))
    found = {value}
    for order in (names, names[::-1]):
        text = value
        for name, mark in order:
            found.add(re.sub(name, mark, value))
            text = re.sub(name, mark, text)
        found.add(text)
    return found


def _at(node: yaml.Node | None, path: Where) -> yaml.Node | None:
    """The node at ``path``; None where it is not written there."""
    for key in path:
        found = (
            node.value[key]
            if isinstance(node, yaml.SequenceNode) and isinstance(key, int)
            else node_at(node, str(key))
        )
        if node is None or found is None or found.start_mark.index < node.start_mark.index:
            return None
        node = found
    return node


def _leaves(node: yaml.Node, path: Where = ()) -> dict[Where, yaml.ScalarNode]:
    """The values in an element, in the order of the text."""
    if isinstance(node, yaml.MappingNode):
        items: list[tuple[str | int, yaml.Node]] = [(name.value, value) for name, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        items = list(enumerate(node.value))
    else:
        return {path: node} if isinstance(node, yaml.ScalarNode) else {}
    return {at: leaf for key, value in items for at, leaf in _leaves(value, (*path, key)).items()}


def _last_mark(node: yaml.Node) -> yaml.Mark:
    """Where a node's text ends; a block's own mark is behind the comments that follow it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return node.end_mark
    last = node.value[-1]
    return _last_mark(last[1] if isinstance(last, tuple) else last)


def _written(
    text: str, item: yaml.Node, leaves: Mapping[Where, yaml.ScalarNode], values: Mapping[Where, str]
) -> str | None:
    """The text of an element with other values and without its comments; None where that is not safe."""
    at, end = item.start_mark.index, _last_mark(item).index
    parts: list[str] = []
    for path, leaf in leaves.items():
        start, stop = leaf.start_mark.index, leaf.end_mark.index
        if start < at or "\n" in text[start:stop] or leaf.style in ("|", ">"):
            return None
        is_same = values[path] == leaf.value
        parts += [text[at:start], text[start:stop] if is_same else quoted_like(values[path], leaf)]
        at = stop
    parts.append(text[at:end])
    return "".join([_bare(part) if index % 2 == 0 else part for index, part in enumerate(parts)])


def _bare(between: str) -> str:
    """What is between two values, without comments and empty lines."""
    return _EMPTY_LINE.sub(r"\1", re.sub(r"(?<![ \t])[ \t]+(?=\r?\n)", "", _COMMENT.sub("", between)))


def _inserted(text: str, sequence: yaml.SequenceNode, item: yaml.Node, written: str) -> str | None:
    """The text with an element behind the last one; None where it is written in an unknown way."""
    last = sequence.value[-1]
    end = _last_mark(last)
    if sequence.flow_style:
        between = (
            text[_last_mark(sequence.value[-2]).index : last.start_mark.index] if sequence.value[1:] else ""
        )
        separator = between if between.strip() == "," else ", "
        return f"{text[: end.index]}{separator}{written}{text[end.index :]}"
    lines = lines_of(text)
    before = lines[item.start_mark.line][: item.start_mark.column]
    if before.strip() != "-":
        return None
    insert_below(lines, last_of_item(lines, end.line, sequence.start_mark.column), before + written)
    return "".join(lines)
