"""Paths of which a part is not known: what a glob stands for, or what only a running controller knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

LONGEST = 1_000
"""Characters of a path that is looked at."""


class Wild(Enum):
    """A part of a path that is not known."""

    IN_FOLDER = "any text without a slash, or none"
    ANY = "any text"


Pattern: TypeAlias = Sequence[str | Wild]
"""The parts of a path in their order."""


def glob(path: str) -> Pattern:
    """A path in which ``*`` stands for any text in one folder."""
    first, *rest = path.split("*") if len(path) <= LONGEST else [path]
    return [first, *(part for text in rest for part in (Wild.IN_FOLDER, text))]


def in_git(pattern: str) -> Pattern:
    """A path in which ``*`` stands for any text with slashes, as `git ls-files` reads it."""
    first, *rest = re.split(r"\*+", pattern)
    return [first, *(part for text in rest for part in (Wild.ANY, text))]


def text_of(pattern: Pattern) -> str | None:
    """The text of a pattern; None where a part of it is not known."""
    known = [part for part in pattern if isinstance(part, str)]
    return "".join(known) if len(known) == len(pattern) else None


def says_nothing(pattern: Pattern) -> bool:
    """Whether any path may be one of ``pattern``."""
    return set(pattern) <= {"", "/", Wild.ANY}


def fits(pattern: Pattern, path: str) -> bool:
    """Whether ``path`` is one of ``pattern``, which says anything beside what is not known.

    All places where a part can end are followed at once: nothing is tried twice, whatever others wrote.
    """
    if says_nothing(pattern):
        return False
    ends, before = {0}, None
    for part in pattern:
        if not part or part is before is Wild.IN_FOLDER:
            continue
        before = part
        if isinstance(part, str):
            ends = {end + len(part) for end in ends if path.startswith(part, end)}
        elif part is Wild.ANY:
            ends = set(range(min(ends) + 1, len(path) + 1))
        else:
            for at, character in enumerate(path):
                if at in ends and character != "/":
                    ends.add(at + 1)
        if not ends:
            return False
    return len(path) in ends
