"""Resume a run that waits at the gate, and say how that went."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.input import keyset_from_paused_state

from runbook.gate import GateRecord
from runbook.request import EnableRequest
from tasks.merge_gate import MergeAnswer

Log = logging.Logger | logging.LoggerAdapter[Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run at the gate, with what it is asked to do and what it saw; no record if another version waits."""

    run: FlowRun
    request: EnableRequest
    record: GateRecord | None


class Waker:
    """Resumes runs, and says of each how that went."""

    def __init__(self, client: SyncPrefectClient, log: Log) -> None:
        self._client = client
        self._log = log
        self.woken: list[str] = []
        self.again: list[str] = []

    def wake(self, waiting: Waiting, why: str) -> None:
        run = waiting.run
        try:
            answer = self._client.resume_flow_run(run.id, run_input={"note": why})
            if _lacks_form(answer):
                self._give_form(run)
                answer = self._client.resume_flow_run(run.id, run_input={"note": why})
        except ObjectNotFound:
            return  # deleted a moment ago
        except PrefectHTTPStatusError as error:
            status = error.response.status_code
            if status == 404:
                return
            self._log.warning("%s is to be woken (%s); Prefect answered %s", run.name, why, status)
            self.again.append(run.name)
            return
        if answer.status.value == "ACCEPT":
            self._log.info("%s was woken: %s", run.name, why)
            self.woken.append(run.name)
        elif run.state_type == StateType.RUNNING:
            self.again.append(run.name)
        elif answer.status.value == "ABORT":
            self._log.info("%s is to be woken (%s), and somebody did a moment ago", run.name, why)
        else:
            reason = getattr(answer.details, "reason", None)
            self._log.warning("%s is to be woken (%s); Prefect refused: %s", run.name, why, reason)

    @staticmethod
    def _give_form(run: FlowRun) -> None:
        """Save the form that a run has not come to save.

        Prefect suspends a run first and saves the form of its Resume then. A process that is killed in
        between leaves a run that nobody can resume: "Run input schema not found."
        """
        if run.state:
            MergeAnswer.save(keyset_from_paused_state(run.state), flow_run_id=run.id)


def _lacks_form(answer: OrchestrationResult[Any]) -> bool:
    reason = getattr(answer.details, "reason", None) or ""
    return answer.status.value == "REJECT" and "schema not found" in reason
