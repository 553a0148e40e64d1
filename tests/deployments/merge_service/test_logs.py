"""The log as objects: whatever happens, a line is one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun

from change.gate.waking import about
from deployments.merge_service.logs import JsonLines, TextLines
from tests.deployments.merge_service.conftest import Log


def test_nobody_writes_a_line_of_the_log_by_the_name_of_a_run(log: Log) -> None:
    log.logger.handlers[0].setFormatter(TextLines())
    run = FlowRun(flow_id=uuid4(), name="100%s\n2026-11-30 00:00:00,000 INFO \x1b[31mall is well")
    about(log.logger, run).warning("could not be woken: %s", "busy\nor gone")
    (line,) = log.text.splitlines()
    assert (
        " WARNING 100%s 2026-11-30 00:00:00,000 INFO [31mall is well could not be woken: busy or gone" in line
    )


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
