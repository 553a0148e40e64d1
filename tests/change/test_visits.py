"""Looks at many places, of which some do not answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from change.gate.visits import Visits
from change.gate.waking import Lacks
from runbook.errors import CertificateNotTrusted, EnablementError
from runbook.gate import LackRecord, fingerprint_of

SLOW, OTHERS = "abcdefgh", "ijklmnop"
LACKED, LACKS = ("a namespace", "a token"), ("a token",)
_PATIENCE = 30.0


class Places:
    """The runbook of runs at places that are named by a letter."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ended = threading.Event()
        self.error: EnablementError | None = None

    def place(self, asked: str) -> str:
        return asked

    def prepare_visit(self, several: list[tuple[str, str]]) -> Callable[[], list[Any]]:
        ((place, _),) = several

        def visit() -> list[Any]:
            self.asked.append(place)
            if place in SLOW:
                assert self.ended.wait(_PATIENCE)
            return [self.error or LACKS]

        return visit

    def waiting_at(self, place: str) -> Lacks:
        now = datetime.now(UTC)
        record = LackRecord(
            kind="sync",
            lacking=fingerprint_of(LACKED),
            since=now,
            until=now + timedelta(hours=1),
            suspensions=0,
        )
        run: Any = SimpleNamespace(id=uuid4(), name=place)
        return Lacks(run, self, place, "sync", record)  # type: ignore[arg-type]


class Woken(list[str]):
    """In place of a waker: the places whose runs were woken."""

    def wake_where(self, waiting: list[Lacks], _why: Callable[[Lacks], str]) -> list[Lacks]:
        return waiting

    def wake(self, waiting: Lacks, _why: str) -> bool:
        self.append(waiting.run.name)
        return False


@pytest.fixture
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.ended.set()


@pytest.fixture
def visits() -> Iterator[Visits]:
    made = Visits(logging.getLogger(__name__), patience=0.5)
    yield made
    made.close()


def test_what_takes_longer_than_a_look_counts_for_the_next_one(places: Places, visits: Visits) -> None:
    waiting, woken = [places.waiting_at(place) for place in SLOW + OTHERS], Woken()
    problems = visits.look(waiting, woken)  # type: ignore[arg-type]
    assert {problem.subject for problem in problems} == set(SLOW + OTHERS)
    assert woken == []
    places.ended.set()
    while visits.look(waiting, woken):  # type: ignore[arg-type]
        assert len(woken) < len(waiting)
    assert sorted(woken) == sorted(places.asked) == sorted(SLOW + OTHERS), "each was asked once"


def test_a_place_that_answers_is_not_held_up_by_one_that_does_not(places: Places, visits: Visits) -> None:
    waiting, woken = [places.waiting_at(place) for place in SLOW[:7] + OTHERS], Woken()
    problems = visits.look(waiting, woken)  # type: ignore[arg-type]
    assert {problem.subject for problem in problems} == set(SLOW[:7])
    assert sorted(woken) == sorted(OTHERS)


def test_an_answer_is_no_reason_for_a_run_that_waits_for_another_thing_by_then(
    places: Places, visits: Visits
) -> None:
    woken = Woken()
    waiting, gone = places.waiting_at(SLOW[0]), places.waiting_at(SLOW[1])
    assert len(visits.look([waiting, gone], woken)) == 2  # type: ignore[arg-type]
    assert waiting.record
    changed = replace(waiting, record=waiting.record.model_copy(update={"lacking": fingerprint_of(LACKS)}))
    places.ended.set()
    assert visits.look([changed], woken) == []  # type: ignore[arg-type]
    assert woken == []


def test_a_run_is_woken_once_for_an_error_that_only_the_looks_see(places: Places, visits: Visits) -> None:
    places.error = CertificateNotTrusted("OpenShift", "version", "self-signed", "Give it the CA.")
    run, woken = places.waiting_at(OTHERS[0]), Woken()
    assert visits.look([run], woken) == []  # type: ignore[arg-type]
    assert woken == [OTHERS[0]]
    # It works for a while, and waits again.
    assert visits.look([], woken) == []  # type: ignore[arg-type]
    assert visits.look([run], woken) == [places.error]  # type: ignore[arg-type]
    assert woken == [OTHERS[0]]
