"""A worker of its own, as in production: runs are created through Prefect's API and executed elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.environment import CHECKOUT
from sandbox.log_check import unexplained
from sandbox.prefect_server import PrefectServer
from tests.engineer import Engineer
from tests.merge_service import EXPECTED


@pytest.fixture(scope="session")
def engineer(prefect_harness: PrefectServer) -> Iterator[Engineer]:
    """Everything deployed, and a process worker that runs it."""
    prefect_harness.deploy()
    prefect_harness.start_worker()
    yield Engineer(prefect_harness)
    prefect_harness.stop_worker()
    errors = unexplained(sorted(prefect_harness.logs.glob("*.log")), EXPECTED)
    assert not errors, "\n".join(errors)


def command(server: PrefectServer, *arguments: str) -> None:
    """Run a command of an operator in the checkout, which must succeed."""
    done = subprocess.run(
        arguments,
        env=server.environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture
def automations(engineer: Engineer) -> Iterator[None]:
    """Ours, on the server to which everything is deployed."""
    command(engineer.server, sys.executable, "-m", "deployments.automations", "--pending", "40")
    yield
    for automation in engineer.api.request("POST", "/automations/filter", {}):
        engineer.api.request("DELETE", f"/automations/{automation['id']}")
