"""docs/diagnosis.md has every cause with the line and the remedy that the code gives."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

from runbook.diagnosis import CAUSES, Cause

DOCS = Path(__file__).parents[3] / "docs" / "diagnosis.md"


def example(kind: type[Cause]) -> Cause:
    """The cause with the names of its fields in the place of their values."""
    assert dataclasses.is_dataclass(kind)
    values: dict[Any, Any] = {
        tuple[str, ...]: lambda name: (name.upper(), "…"),
        datetime: lambda name: datetime(2026, 1, 1, 12, tzinfo=UTC),
        float: lambda name: 10.0,
        str: lambda name: name.upper(),
    }
    hints = get_type_hints(kind)
    made = {part.name: values[hints[part.name]](part.name) for part in dataclasses.fields(kind)}
    cause = kind(**made)
    assert isinstance(cause, Cause)
    return cause


def row(kind: type[Cause]) -> str:
    what = (kind.__doc__ or "").partition(". ")[0]
    cause = example(kind)
    return f"| {what} | {cause.line} | {cause.remedy} |"


def test_the_docs_have_each_cause_in_order_and_no_other() -> None:
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert lines[1:] == [row(kind) for kind in CAUSES]


def test_every_cause_is_in_the_closed_set() -> None:
    def leaves(kind: type[Cause]) -> set[type[Cause]]:
        # A dataclass with slots is made twice; only the one that its module holds counts.
        import sys

        below = {
            sub
            for sub in kind.__subclasses__()
            if getattr(sys.modules[sub.__module__], sub.__name__, None) is sub
        }
        return set().union(*map(leaves, below)) if below else {kind}

    assert leaves(Cause) == set(CAUSES)


def test_a_line_is_one_line() -> None:
    for kind in CAUSES:
        assert "\n" not in example(kind).line + example(kind).remedy
        assert not example(kind).answer.endswith(".")
        assert example(kind).remedy.endswith(".")
