"""No worker: what the gate does is the same, and a run starts at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.prefect_server import PrefectServer
from tests.engineer import WithoutWorker
from tests.faults.built_once import built_once


@pytest.fixture
def engineer(prefect_harness: PrefectServer) -> Iterator[WithoutWorker]:
    with built_once():
        yield WithoutWorker(prefect_harness)
