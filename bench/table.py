"""The table: sections of rows with three figures each, and what the aim is where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

SPREAD = ("median", "min", "max")
"""The three figures of something that was measured several times."""

_PLACES = {"s": 3, "MB": 1}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it is about, three figures, and the verdict on an aim if there is one."""

    what: str
    figures: tuple[str, str, str]
    aim: str = ""
    verdict: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in the columns."""
        return (f"  {self.what}", *self.figures, self.aim, self.verdict)


def spread(
    what: str, values: Sequence[float], unit: str = "s", *, below: float | None = None, words: str = ""
) -> Row:
    """Median, least and greatest of values; the median shall be ``below``, which ``words`` explain."""

    def figure(value: float) -> str:
        return f"{value:,.{_PLACES[unit]}f} {unit}"

    figures = (figure(median(values)), figure(min(values)), figure(max(values)))
    if below is None:
        return Row(what, figures)
    aim = f"< {figure(below)}{f' ({words})' if words else ''}"
    return Row(what, figures, aim, "met" if median(values) < below else "MISSED")


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of the same kind. ``headings`` name their three figures."""

    title: str
    headings: tuple[str, str, str]
    rows: Sequence[Row]

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """Title and rows as cells."""
        aim = "aim" if any(row.aim for row in self.rows) else ""
        return [(self.title, *self.headings, aim, ""), *(row.cells for row in self.rows)]


def render(sections: Sequence[Section]) -> str:
    """The table as text. All sections share the width of their columns."""
    columns = list(zip(*(cells for section in sections for cells in section.lines), strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(cells: tuple[str, ...]) -> str:
        what, *rest = cells
        figures = [cell.rjust(width) for cell, width in zip(rest[:3], widths[1:4], strict=True)]
        words = [cell.ljust(width) for cell, width in zip(rest[3:], widths[4:], strict=True)]
        return "  ".join([what.ljust(widths[0]), *figures, *words]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return f"\n{rule}\n".join("\n".join(map(line, section.lines)) for section in sections)
