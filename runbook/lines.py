"""One line put into a text of YAML, beside the line of a list's item, as a person would put it there.

Comments stay with the item that they belong to: those above it, and those below that are indented deeper
than its dash, which continue what stands there. Lines are counted as PyYAML counts them, from 0.
"""

from __future__ import annotations

import re

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""All that ends a line of YAML 1.1, for libyaml and for kustomize."""


def lines_of(text: str) -> list[str]:
    """The lines with their breaks; the last has none, and may be empty."""
    ends = [match.end() for match in _LINE_BREAK.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def ending(lines: list[str], number: int) -> str:
    """How a line ends; the last line, if it is not ended, as the one before it."""
    breaks = (_LINE_BREAK.search(line) for line in (lines[number], *lines[-2:-1]))
    return next((found.group() for found in breaks if found), "\n")


def last_of_item(lines: list[str], number: int, column: int) -> int:
    """The last line that belongs to an item.

    Args:
        lines: of the whole text.
        number: of the line in which the item's value ends.
        column: of its dash. A comment that is indented deeper, without a blank line before, continues it.
    """
    for line in lines[number + 1 :]:
        comment = line.lstrip(" \t")
        if not comment.startswith("#") or len(line) - len(comment) <= column:
            break
        number += 1
    return number


def insert_below(lines: list[str], number: int, line: str) -> None:
    """Put ``line`` below another one."""
    ends = ending(lines, number)
    if number == len(lines) - 1:
        lines[number] += ends
    lines.insert(number + 1, line + ends)


def insert_above(lines: list[str], number: int, line: str, lowest: int) -> None:
    """Put ``line`` above another one and the comments of that, but not above the line ``lowest``."""
    ends = ending(lines, number)
    while number > lowest and lines[number - 1].lstrip(" \t").startswith("#"):
        number -= 1
    lines.insert(number, line + ends)
