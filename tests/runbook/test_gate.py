"""When a waiting run has a reason to look again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.gate import LABEL, GateRecord, LackRecord, WaitRecord

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
BASE, MOVED = "a" * 40, "b" * 40


def record(**changes: Any) -> GateRecord:
    seen = GateRecord(
        number=7,
        url="https://github.example/pull/7",
        pull_request="open",
        head="head-1",
        shared=False,
        base=BASE,
        remaining="two files",
        served_versions=(),
        wanted={},
        since=SINCE,
        until=None,
        suspensions=0,
    )
    return seen.model_copy(update=changes)


@pytest.mark.parametrize(
    ("seen", "open_heads", "why"),
    [
        ({}, {7: "head-1", 8: "other"}, ""),
        ({}, {7: "head-2"}, "somebody pushed to the branch of pull request #7"),
        ({}, {8: "other"}, "pull request #7 was merged or closed"),
        ({"pull_request": "merged"}, {8: "other"}, ""),
        ({"pull_request": "merged"}, {7: "head-1"}, "pull request #7 is open again"),
        ({"pull_request": "none", "number": None}, {}, ""),
    ],
)
def test_what_happens_to_its_pull_request_is_a_reason(
    seen: dict[str, Any], open_heads: dict[int, str], why: str
) -> None:
    assert record(**seen).why_of_pull_requests(open_heads) == why


@pytest.mark.parametrize(
    ("seen", "base", "remaining", "landed", "why"),
    [
        ({}, BASE, "two files", False, ""),
        ({}, MOVED, "two files", False, ""),
        ({}, MOVED, "nothing", True, "its change is on the base branch at bbbbbbbbbbbb"),
        ({}, BASE, "nothing", True, "its change is on the base branch at aaaaaaaaaaaa"),
        ({}, MOVED, "others", False, "the base branch moved to bbbbbbbbbbbb, which affects its change"),
        ({"shared": True}, MOVED, "two files", False, "the base branch moved to bbbbbbbbbbbb, and its own"),
        ({"shared": True, "pull_request": "merged"}, MOVED, "two files", False, ""),
    ],
)
def test_a_base_branch_that_moves_is_a_reason_where_it_concerns_the_change(
    seen: dict[str, Any], base: str, remaining: str, landed: bool, why: str
) -> None:
    found = record(**seen).why_of_base(base, remaining, landed=landed)
    assert found.startswith(why) if why else found == ""


def test_only_a_deadline_that_has_passed_is_a_reason() -> None:
    assert record().why_of_time(SINCE + timedelta(days=3650)) == ""
    limited = record(until=SINCE + timedelta(hours=1))
    assert limited.why_of_time(SINCE + timedelta(minutes=59)) == ""
    assert limited.why_of_time(SINCE + timedelta(minutes=60)) == "its deadline has passed"


def test_a_record_survives_being_a_label_and_what_newer_code_adds() -> None:
    text = record(shared=True).model_dump_json()
    assert GateRecord.of_labels({LABEL: text}) == record(shared=True)
    assert GateRecord.of_labels({LABEL: text[:-1] + ', "added_later": 1}'}) == record(shared=True)


def test_all_that_an_older_version_kept_of_a_run_that_waits_is_read() -> None:
    text = (Path(__file__).parent / "record_of_a_waiting_run.json").read_text()
    found = GateRecord.of_labels({LABEL: text})
    assert found is not None
    kept = json.loads(found.model_dump_json())
    assert json.loads(text).items() <= kept.items()


@pytest.mark.parametrize(
    "wanted",
    [
        {"sha256": "0" * 16},
        {"opens": ["web"]},
        {"elements": ["0" * 16]},
        {"builds": ["a/b"], "namespace": "web"},
    ],
)
def test_a_record_keeps_the_meaning_of_the_change(wanted: dict[str, Any]) -> None:
    kept = record(wanted={"a/kustomization.yaml": wanted})
    assert GateRecord.of_labels({LABEL: kept.model_dump_json()}) == kept


@pytest.mark.parametrize(
    "wanted", [{}, {"builds": None}, {"builds": [7]}, {"builds": "a/b"}, {"sha256": 7}, {"opens": [7]}]
)
def test_a_record_whose_meaning_nobody_can_compare_with_is_none(wanted: dict[str, Any]) -> None:
    edited = record(wanted={"a/kustomization.yaml": wanted}).model_dump_json()
    assert GateRecord.of_labels({LABEL: edited}) is None


@pytest.mark.parametrize("label", [None, 7, "", "{}", '{"number": 7}', "no JSON"])
def test_what_is_no_record_of_this_version_is_none(label: object) -> None:
    assert GateRecord.of_labels({LABEL: label} if label is not None else {}) is None


@pytest.mark.parametrize("field", ["since", "until"])
def test_a_record_with_a_time_of_no_zone_is_none_and_stops_no_look(field: str) -> None:
    lack = LackRecord(kind="sync", lacking="0" * 16, since=SINCE, until=SINCE, suspensions=1)
    kept: WaitRecord
    for kept in (record(until=SINCE), lack):
        edited = json.loads(kept.model_dump_json()) | {field: "2026-12-01T00:00:00"}
        assert type(kept).of_labels({kept.label: kept.model_dump_json()}) == kept
        assert type(kept).of_labels({kept.label: json.dumps(edited)}) is None
