"""Names and patterns of a role. ``tests/tasks/diagnosis/test_bound_as_in_vault.py`` asks Vault the same."""

from __future__ import annotations

import pytest

from runbook.bound_names import bound_unlisted, is_bound

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


def test_a_name_that_stands_there_is_bound_and_a_dot_is_no_pattern() -> None:
    for name in ("payment?", "pa[y]ments", "pay]ments", "a.c"):
        assert is_bound(name, [name])
    assert not is_bound("payments", ["paymen.s"])
    assert not is_bound("payments", [])
    assert not is_bound("a" * 253, ["*a" * 126 + "b"]), "many stars are no long work"


@pytest.mark.parametrize("field", ["bound_service_account_names", "bound_service_account_namespaces"])
@pytest.mark.parametrize(
    ("pattern", "wide"),
    [
        *((pattern, True) for pattern in ("*", "***", "a*", "*z", "*e*", "-*")),
        *((name, False) for name in ("web", "a", "", "team-*", "*-ci", "pay*ts", "p-*")),
    ],
)
def test_a_pattern_that_says_next_to_nothing_binds_anybody(field: str, pattern: str, wide: bool) -> None:
    role = {field: ["web", pattern]}
    assert bound_unlisted(role) == ((f"{field}={pattern}",) if wide else ())


@pytest.mark.parametrize(
    "selector",
    [
        '{"matchLabels":{}}',
        '{"matchLabels":{"a":"b"}}',
        '{"matchExpressions":[{"key":"a","operator":"Exists"}]}',
    ],
)
def test_so_does_any_selector_and_none_does_not(selector: str) -> None:
    field = "bound_service_account_namespace_selector"
    ours = {"bound_service_account_names": ["web"], "bound_service_account_namespaces": ["web"]}
    assert bound_unlisted({**ours, field: selector}) == (f"{field}={selector}",)
    assert bound_unlisted({**ours, field: ""}) == bound_unlisted(ours) == ()
