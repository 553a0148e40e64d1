"""Tests that are given by a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest


def table(names: str, rows: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Parametrize a test by rows, each under the name of the case that it is.

    Args:
        names: of the parameters, separated by commas.
        rows: a value for each case; a tuple where there are several parameters.
    """
    return pytest.mark.parametrize(names, list(rows.values()), ids=list(rows))


def rows_of(page: str) -> list[str]:
    """The rows of a list in markdown."""
    return [line.removeprefix("- ") for line in page.splitlines() if line.startswith("- ")]
