"""The log as objects: whatever happens, a line is one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun

from change.gate.waking import about
from deployments.merge_service.logs import JsonLines
from tests.deployments.merge_service.conftest import Log


def test_a_line_is_one_object_whatever_is_in_it(log: Log) -> None:
    log.logger.handlers[0].setFormatter(JsonLines())
    run = FlowRun(flow_id=uuid4(), name="100%s\nis \x1b[31m a name")
    try:
        raise RuntimeError("a fault\nof our own")
    except RuntimeError:
        about(log.logger, run).warning("could not be woken: %s", "busy", exc_info=True)
    (line,) = log.text.splitlines()
    said = json.loads(line)
    assert said["message"] == f"{run.name} could not be woken: busy (run {run.id})"
    assert (said["level"], said["run_id"], said["run_name"]) == ("WARNING", str(run.id), run.name)
    assert said["traceback"].endswith("RuntimeError: a fault\nof our own")
    assert datetime.now(UTC) >= datetime.fromisoformat(said["time"])
