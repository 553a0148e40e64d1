"""One prerequisite, what was found, and what to do if it is not met; and the page of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Literal

from runbook.foreign_text import block, markdown, plain

Status = Literal["ok", "failed", "warning", "not checked"]
_MARKS: dict[Status, str] = {
    "failed": "❌ failed",
    "warning": "⚠️ warning",
    "not checked": "not checked",
    "ok": "✅ ok",
}
"""In the order in which people need them."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row of preflight. Only ``failed`` stops the run.

    Attributes:
        prerequisite: what has to be there: ``"Vault is reachable"``.
        found: what was found, or why nobody could be asked.
        remedy: what a person does about it.
        system: whom it is about, as in errors; filled in by preflight.

    The texts are made fit for a log.
    """

    prerequisite: str
    status: Status
    found: str
    remedy: str = ""
    system: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", plain(self.found))
        object.__setattr__(self, "remedy", plain(self.remedy, keep="\n"))


def counted(rows: Sequence[Check]) -> str:
    """For example ``2 failed, 38 ok``."""
    count = Counter(row.status for row in rows)
    return ", ".join(f"{count[status]} {status}" for status in _MARKS if count[status])


def page(rows: Sequence[Check]) -> str:
    """Markdown of all rows, those that a person has to look at first.

    A list: Prefect's UI breaks no line in a cell of a table, and shows a part of the page's width.
    """
    order, lines = list(_MARKS), [f"**{counted(rows)}**", ""]
    for row in sorted(rows, key=lambda row: order.index(row.status)):
        sentence, _, manifest = row.remedy.partition("\n")
        remedy = f". **To do:** {markdown(sentence)}" if sentence else ""
        prerequisite = f"**{row.system}: {markdown(row.prerequisite)}**"
        lines.append(f"- {_MARKS[row.status]}: {prerequisite}: {markdown(row.found)}{remedy}")
        if manifest:
            lines += ["", indent(block(manifest, "yaml"), "  "), ""]
    return "\n".join(lines)
