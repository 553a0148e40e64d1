"""What the table says of figures and aims."""

from __future__ import annotations

from bench.table import SPREAD, Row, Section, render, spread


def test_the_median_is_held_against_the_aim() -> None:
    assert spread("step", [0.1, 0.3, 9.0], below=0.4).verdict == "met"
    assert spread("step", [0.1, 0.4, 0.5], below=0.4).verdict == "MISSED"
    assert spread("step", [0.1, 0.4, 0.5]).verdict == ""


def test_a_row_has_median_least_and_greatest() -> None:
    assert spread("step", [3.0, 1.0, 2.0]).figures == ("2.000 s", "1.000 s", "3.000 s")
    assert spread("clone", [1234.5678], "MB").figures[0] == "1,234.6 MB"


def test_columns_of_all_sections_line_up() -> None:
    text = render(
        [
            Section("Steps", SPREAD, [spread("one with a long name", [1.0])]),
            Section("Requests", ("read", "ask", "write"), [Row("run", ("7", "8", "9"))]),
        ]
    )
    ends = {len(line[: line.rindex(word) + len(word)]) for line, word in _last_figures(text)}
    assert len(ends) == 1, text


def _last_figures(text: str) -> list[tuple[str, str]]:
    lines = text.splitlines()
    return [(lines[0], "max"), (lines[1], "1.000 s"), (lines[3], "write"), (lines[4], "9")]
