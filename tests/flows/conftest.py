"""What the runs of these tests build alike is built once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.built_once import built_once


@pytest.fixture(scope="package", autouse=True)
def _built_once() -> Iterator[None]:
    with built_once():
        yield
