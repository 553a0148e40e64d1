"""What Prometheus is told, and that the rules which warn people ask for nothing else."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml
from prefect.states import InfrastructurePending, Pending, Submitting
from prometheus_client.parser import text_string_to_metric_families

from change.gate.waits import Waits
from change.gate.watch import Round
from runbook.errors import Unreachable
from sandbox.environment import CHECKOUT
from systems.github import CallsLeft
from tests.deployments.merge_service.conftest import Log, Looks, Running, Sender, serving
from tests.deployments.merge_service.payloads import REPOSITORY, push
from tests.eventually import eventually

ALERTS = CHECKOUT / "deployments" / "prometheus" / "alerts.yaml"
DOWN = Unreachable("GitHub", "repository o/apps", "no answer", "Look again later.")

Samples = dict[tuple[str, tuple[str, ...]], float]
"""Values by the name of the metric and the values of its labels, in the order of their names."""


class Calls(Looks):
    """A watch to which GitHub has said how many calls are left."""

    def github_calls(self) -> dict[str, CallsLeft]:
        return {"gitops": CallsLeft(4321, 5000)}


def metrics(service: Running) -> httpx.Response:
    return httpx.get(f"{service.url}/metrics", timeout=30, trust_env=False)


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def finds(number: int, repository: str | None) -> Round:
    if number == 1:
        raise RuntimeError("a fault of our own")
    since = datetime.now(UTC) - timedelta(days=20)
    waits = Waits({"merge": 3, "approval": 1}, since)
    return Round(waiting=3, problems=(DOWN,) if not repository else (), waits=waits, wakings={"merge": 2})


def test_it_tells_what_the_looks_have_found_and_how_they_went(connected: None, log: Log) -> None:
    looks = Calls(finds)
    began = time.time()
    with serving(looks, log) as service:
        eventually(lambda: service.health.status_code == 200, lambda: log.text)
        service.loop.hint([REPOSITORY])
        eventually(lambda: ("enablement_look_duration_seconds_count", ("succeeded",)) in told(service), str)
        eventually(lambda: told(service)["enablement_look_duration_seconds_count", ("succeeded",)] == 2, str)
        answer = metrics(service)
    assert answer.headers["content-type"].startswith("text/plain")
    values = samples(answer.text)
    assert values["enablement_look_duration_seconds_count", ("failed",)] == 1
    assert values["enablement_wakings_total", ("merge",)] == 4
    assert {kind: number for (name, kind), number in values.items() if name == "enablement_waiting_runs"} == {
        ("merge",): 3,
        ("approval",): 1,
        ("sync",): 0,
        ("store",): 0,
        ("other",): 0,
    }
    days = timedelta(seconds=values["enablement_oldest_wait_seconds", ()]) / timedelta(days=1)
    assert round(days, 2) == 20
    assert values["enablement_problems", ("GitHub",)] == 1
    assert values["enablement_problems", ("Vault",)] == 0
    assert values["enablement_github_calls_left", ("gitops",)] == 4321
    assert values["enablement_github_call_limit", ("gitops",)] == 5000
    assert began <= values["enablement_last_look_timestamp_seconds", ()] <= time.time()
    assert values["process_resident_memory_bytes", ()] > 0
    assert "o/apps" not in answer.text, "the log says what, to those who may read it"
    assert not [name for name, _labels in values if name.endswith("_created")]


def told(service: Running) -> Samples:
    return samples(metrics(service).text)


def test_before_the_first_look_that_succeeds_it_claims_nothing(connected: None, log: Log) -> None:
    def never(_number: int, _repository: str | None) -> Round:
        raise RuntimeError("a fault of our own")

    with serving(Looks(never), log) as service:
        service.looks.wait_for(1)
        names = {name for name, _labels in told(service)}
    assert names & {"enablement_last_look_timestamp_seconds", "enablement_waiting_runs"} == set()


def test_deliveries_are_counted_by_how_they_were_answered(running: Running, sender: Sender) -> None:
    before = told(running)
    sender.send("push", push("refs/heads/master"))
    sender.send("push", push("refs/heads/other"))
    sender.send("star", push("refs/heads/master"))
    sender.send("ping", b"{}")
    sender.send("push", push("refs/heads/master"), x_hub_signature_256="sha256=0")
    sender.send("push", b"not JSON")
    after = told(running)
    counted = {
        labels: number - before.get((name, labels), 0)
        for (name, labels), number in after.items()
        if name == "enablement_deliveries_total" and number != before.get((name, labels), 0)
    }
    assert counted == {
        ("looking", "202"): 1,
        ("ignored", "202"): 2,
        ("pong", "200"): 1,
        ("refused", "401"): 1,
        ("refused", "400"): 1,
    }


# Of an expression: a metric of ours with what is asked of its labels.
METRIC = re.compile(r"\b((?:enablement|process)_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~?|!=|!~)")
MENTIONED = re.compile(r"\$labels\.(\w+)")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_metrics_labels_and_states_that_a_running_service_has(
    connected: None, log: Log, rule: dict[str, Any]
) -> None:
    with serving(Calls(lambda _number, _repository: Round(0, wakings={"merge": 1})), log) as service:
        eventually(lambda: service.health.status_code == 200, lambda: log.text)
        families = list(text_string_to_metric_families(metrics(service).text))
    labels: dict[str, set[str]] = {}
    values: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        labels.setdefault(sample.name, set()).update(sample.labels)
        values.setdefault(sample.name, set()).update(sample.labels.values())
    asked = METRIC.findall(rule["expr"])
    assert asked
    for name, matchers in asked:
        assert name in labels
        assert set(LABEL.findall(matchers)) <= labels[name]
        for said in re.findall(r'"([^"]*)"', matchers):
            assert set(said.split("|")) <= values[name]
    texts = " ".join(rule["annotations"].values())
    assert set(MENTIONED.findall(texts)) <= set.union(*(labels[name] for name, _matchers in asked))
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize(
    "state", [Pending(), Submitting(), InfrastructurePending()], ids=lambda one: one.name
)
def test_of_a_run_that_is_not_started_people_are_warned_whatever_its_worker_calls_that(state: Any) -> None:
    (rule,) = (one for one in rules() if one["alert"] == "EnablementRunsNotStarted")
    (states,) = re.findall(r'"([^"]*)"', rule["expr"])
    assert re.fullmatch(states, state.name)
