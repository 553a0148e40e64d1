"""The parameters that the generators of an ApplicationSet give to its template."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from runbook.gitops.path_patterns import Pattern, Wild, text_of

_NAME = re.compile(r"\.?[\w.\-\[\]]+")
_INDEX = re.compile(r"index\s+\.?([\w.]+)\s+(?:(\d+)|[\"`]([^\"`]+)[\"`])")


Where: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a value of a set."""


@dataclass(frozen=True, slots=True)
class Place:
    """An element of a `list` generator: where the list is in the set, and the index in it."""

    path: Where
    index: int


@dataclass(frozen=True, slots=True)
class Made:
    """The parameters of one Application.

    Attributes:
        values: by name, nested ones as ``a.b`` and ``a[0]``.
        is_open: whether it is made, and with which further values, only the controller knows.
        elements: of `list` generators, that it is made of.
        files: of `git` generators, that it is made of.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False
    elements: tuple[Place, ...] = ()
    files: tuple[str, ...] = ()

    def and_(self, other: Made) -> Made:
        """Both together; a value of ``other`` counts where both have it."""
        return Made(
            {**self.values, **other.values},
            self.is_open or other.is_open,
            self.elements + other.elements,
            self.files + other.files,
        )

    def rendered(self, template: str) -> Pattern:
        """A text with our values in it."""
        first, *rest = _split(template)
        parts: list[str | Wild] = [first]
        for expression, text in zip(rest[::2], rest[1::2], strict=True):
            name = _name_of(expression)
            known = None if name is None else self.values.get(name)
            if known is None and (name is None or self.is_open):
                parts += [Wild.ANY, text]
            else:
                parts += [f"{{{{{expression}}}}}" if known is None else known, text]
        return parts


def _split(template: str) -> list[str]:
    """Text and the expressions in it, in turns; read once, however many braces are never closed."""
    parts, at = [], 0
    while (start := template.find("{{", at)) >= 0 and (end := template.find("}}", start + 2)) >= 0:
        parts += [template[at:start], template[start + 2 : end]]
        at = end + 2
    return [*parts, template[at:]]


def _name_of(expression: str) -> str | None:
    """Which value a placeholder stands for; None where more is done than to name one."""
    expression = expression.strip("-").strip()
    if match := _INDEX.fullmatch(expression):
        name, number, key = match.groups()
        return f"{name}[{number}]" if number else f"{name}.{key}"
    return expression.removeprefix(".") if _NAME.fullmatch(expression) else None


def path_of(pattern: Pattern) -> str | None:
    """A pattern as a path; None where a part of it is not known."""
    text = text_of(pattern)
    return None if text is None else posixpath.normpath(text)


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Values by name: ``{"a": {"b": 1}}`` is ``{"a.b": "1"}``."""
    found: dict[str, str] = {}
    if isinstance(value, Mapping):
        for key, item in value.items():
            found |= flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found |= flat(item, f"{name}[{index}]")
    else:
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def of_path(folder: str, file: str, prefix: Any = None) -> dict[str, str]:
    """The parameters of a path, by their names in both kinds of templates."""
    parts = folder.split("/")
    named = {"path": folder, "path.path": folder, "path.basename": parts[-1], "path.filename": file}
    named["path.basenameNormalized"] = re.sub(r"[^a-z0-9.-]", "-", parts[-1].lower())
    named |= {f"{name}[{n}]": part for n, part in enumerate(parts) for name in ("path", "path.segments")}
    return {f"{prefix}.{name}": value for name, value in named.items()} if prefix else named
