"""Resume a run that waits, and say how that went."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.input import keyset_from_paused_state

from change.asked import Asked
from change.gate.merge import MergeAnswer
from change.gate.waits import kind_of
from change.runbook import Runbook
from runbook.gate import GateRecord, LackRecord

Log = logging.Logger | logging.LoggerAdapter[Any]

_NOT_PAUSED = "Cannot resume a flow run that is not paused."
"""Prefect's words. It aborts with others where it could not write the new state."""


SETTLE = 5.0
"""Seconds that a run is left alone after it has suspended, while its process ends. One that is resumed then
has two processes, and a worker with a limit of its own ends there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits, with what it is asked to do."""

    run: FlowRun
    runbook: Runbook
    asked: Asked


@dataclass(frozen=True, slots=True)
class AtGate(Waiting):
    """It waits for its merge. Without a record, another version of this code waits."""

    record: GateRecord | None


@dataclass(frozen=True, slots=True)
class Lacks(Waiting):
    """It waits for something after its merge."""

    kind: str
    record: LackRecord | None


W = TypeVar("W", bound=Waiting)


class _OfRun(logging.LoggerAdapter[Any]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        run = self.extra or {}
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **run}
        # Anybody may rename a run.
        name = str(run["run_name"]).replace("%", "%%")
        return f"{name} {msg} (run {run['run_id']})", kwargs


def about(log: Log, run: FlowRun) -> Log:
    """The same log for lines about a run: they begin with its name and end with its id; both are fields."""
    return _OfRun(log, {"run_id": str(run.id), "run_name": run.name})


class Waker:
    """Resumes runs, and says of each how that went.

    Attributes:
        woken: names of those that were resumed.
        again: names of those that could not be resumed yet.
        kinds: how many were resumed, by what they waited for.
    """

    def __init__(self, client: SyncPrefectClient, log: Log, settle: float = SETTLE) -> None:
        self._client = client
        self._log = log
        self._settle = settle
        self.woken: list[str] = []
        self.again: list[str] = []
        self.kinds: Counter[str] = Counter()

    def wake_where(self, waiting: Iterable[W], why: Callable[[W], str]) -> list[W]:
        """Wake those that have a reason; returns the others."""
        others = []
        for each in waiting:
            if reason := why(each):
                self.wake(each, reason)
            else:
                others.append(each)
        return others

    def wake(self, waiting: Waiting, why: str) -> bool:
        """Wake a run, and write down how that went; returns whether it is to be woken later."""
        run = waiting.run
        is_for_later = self._is_ending(run) or not self._is_dealt_with(run, why)
        if is_for_later:
            self.again.append(run.name)
        return is_for_later

    def _is_dealt_with(self, run: FlowRun, why: str) -> bool:
        """Resume it; whether it goes on, or needs nobody to wake it any more."""
        log = about(self._log, run)
        try:
            answer = self._resume(run, why)
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            if status == 409:  # another service wakes it at this moment
                log.info("is to be woken (%s); somebody resumes it right now", why)
            elif status != 404:  # it was deleted a moment ago
                log.warning("could not be woken (%s): Prefect answered %s", why, status)
            return status == 404
        if answer.status.value == "ACCEPT":
            log.info("was woken: %s", why)
            self.woken.append(run.name)
            self.kinds[kind_of(run.state)] += 1
            return True
        if run.state_type == StateType.RUNNING:
            return False
        if _reason(answer) == _NOT_PAUSED:
            log.info("was to be woken (%s); somebody resumed it already", why)
            return True
        log.warning("could not be woken (%s): %s", why, _reason(answer))
        return answer.status.value != "ABORT"

    def _is_ending(self, run: FlowRun) -> bool:
        if run.state is None or not run.state.is_paused():
            return False
        # Either clock may be the later one.
        return abs((datetime.now(UTC) - run.state.timestamp).total_seconds()) < self._settle

    def _resume(self, run: FlowRun, why: str) -> OrchestrationResult[Any]:
        answer = self._client.resume_flow_run(run.id, run_input={"note": why})
        if answer.status.value != "REJECT" or "schema not found" not in _reason(answer) or not run.state:
            return answer
        # Prefect suspends a run first and saves the form of its Resume then. A process that is killed in
        # between leaves a run that nobody can resume: "Run input schema not found."
        MergeAnswer.save(keyset_from_paused_state(run.state), flow_run_id=run.id)
        return self._client.resume_flow_run(run.id, run_input={"note": why})


def _reason(answer: OrchestrationResult[Any]) -> str:
    return str(getattr(answer.details, "reason", None) or "")
