"""Looks at many places, of which some do not answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from change.gate.visits import Visits
from change.gate.waking import Lacks
from runbook.gate import LackRecord, fingerprint_of

SILENT, OTHERS = "abcdefgh", "ijklmnop"
LACKS = ("a token",)


class Places:
    """The runbook of runs at places that are named by a letter."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ended = threading.Event()

    def place(self, asked: str) -> str:
        return asked

    def prepare_visit(self, several: list[tuple[str, str]]) -> Callable[[], list[tuple[str, ...]]]:
        ((place, _),) = several

        def visit() -> list[tuple[str, ...]]:
            self.asked.append(place)
            if place in SILENT:
                self.ended.wait()
            return [LACKS]

        return visit

    def waiting_at(self, place: str) -> Lacks:
        now = datetime.now(UTC)
        until = now + timedelta(hours=1)
        record = LackRecord(kind="sync", lacking=fingerprint_of(LACKS), since=now, until=until, suspensions=0)
        run: Any = SimpleNamespace(id=uuid4())
        return Lacks(run, self, place, "sync", record)  # type: ignore[arg-type]


@pytest.fixture
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.ended.set()


def test_those_whose_turn_did_not_come_are_asked_first_the_next_time(places: Places) -> None:
    waiting = [places.waiting_at(place) for place in SILENT + OTHERS]
    waker: Any = SimpleNamespace(wake_where=lambda runs, _why: runs)
    visits = Visits(logging.getLogger(__name__), patience=0.5)
    assert len(visits.look(waiting, waker)) == 16
    assert set(places.asked) == set(SILENT)
    problems = visits.look(waiting, waker)
    assert set(places.asked) == set(SILENT + OTHERS)
    assert {problem.subject for problem in problems} == set(SILENT)
