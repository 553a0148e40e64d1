"""Names and patterns of a role. ``tests/tasks/diagnosis/test_bound_as_in_vault.py`` asks Vault the same."""

from __future__ import annotations

import pytest

from runbook.bound_names import is_bound

COVER_PAYMENTS = {
    "payments": True,
    "*": True,
    "**": True,
    "pay*": True,
    "*ments": True,
    "*yme*": True,
    "*payments*": True,
    "pay*ts": True,
    "p*y*s": True,
    "*pay*ments": True,
    "": False,
    "pay": False,
    "PAY*": False,
    "payment?": False,
    "pa[y]ments": False,
    "payment[!x]": False,
    "pay\\*ts": False,
    "pay*ts,web": False,
    "pay*yments": False,
    "p*payments": False,
    "payments*payments": False,
}
"""Patterns, and whether the name ``payments`` is bound by them."""


@pytest.mark.parametrize(("pattern", "covers"), COVER_PAYMENTS.items())
def test_a_star_stands_for_any_text_and_all_else_for_itself(pattern: str, covers: bool) -> None:
    assert is_bound("payments", [pattern]) is covers
    assert is_bound("payments", ["web", pattern, "billing"]) is covers


@pytest.mark.parametrize("name", ["payment?", "pa[y]ments", "pay]ments", "a.c"])
def test_a_name_that_is_bound_as_it_stands_is_bound(name: str) -> None:
    assert is_bound(name, [name])


def test_a_dot_is_no_pattern_and_nothing_binds_nobody() -> None:
    assert not is_bound("payments", ["paymen.s"])
    assert not is_bound("payments", [])


def test_many_stars_are_no_long_work() -> None:
    assert not is_bound("a" * 253, ["*a" * 126 + "b"])
