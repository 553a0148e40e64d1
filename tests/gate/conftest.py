"""No worker: what the gate does is the same, and a run starts at once."""

from __future__ import annotations

import pytest

from sandbox.prefect_server import PrefectServer
from tests.engineer import Engineer, WithoutWorker


@pytest.fixture
def engineer(prefect_harness: PrefectServer) -> Engineer:
    return WithoutWorker(prefect_harness)
