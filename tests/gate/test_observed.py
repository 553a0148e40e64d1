"""What the merge service tells of a run that waits: its metrics, and its log as objects."""

from __future__ import annotations

import json

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from sandbox.ports import ANSWER_SECONDS
from tests.merge_service import Service
from tests.waiting import AtTheGate

pytestmark = pytest.mark.long


def told(service: Service) -> dict[tuple[str, ...], float]:
    """Values by the name of the metric and those of its labels."""
    text = requests.get(f"{service.url}/metrics", timeout=ANSWER_SECONDS).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_that_waits_and_is_woken_is_counted_and_each_line_on_it_has_its_id(
    waiting: AtTheGate, service: Service
) -> None:
    service.start(interval=1.0, MERGE_SERVICE_LOG_FORMAT="json")
    before = told(service)
    assert before["enablement_waiting_runs", "merge"] >= 1
    assert before["enablement_runs", "Suspended"] >= 1
    assert before["enablement_oldest_wait_seconds",] > 0
    assert before["enablement_wakings_total", "merge"] == 0
    limit = before["enablement_github_call_limit", waiting.world.parameters["gitops"]]
    assert 0 < before["enablement_github_calls_left", waiting.world.parameters["gitops"]] < limit
    waiting.go_on(wake=waiting.land)
    completed = before["enablement_runs", "Completed"]
    waiting.eventually(lambda: told(service)["enablement_runs", "Completed"] > completed)
    after = told(service)
    assert after["enablement_wakings_total", "merge"] == 1
    assert after["enablement_waiting_runs", "merge"] == before["enablement_waiting_runs", "merge"] - 1
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert all({"time", "level", "message"} <= set(line) for line in lines)
    (woken,) = [line for line in lines if "was woken" in line["message"]]
    assert (woken["run_id"], woken["run_name"]) == (waiting.id, "enable emea/ember")
    assert waiting.id in woken["message"]
