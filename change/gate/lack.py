"""Wait for what a run still lacks after its merge: look for some seconds, then suspend the run.

What comes at once needs no suspension, and what takes hours holds neither process nor worker slot: whoever
watches asks the runbook what lacks (`Runbook.prepare_visit`), and wakes the run when that is another thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from prefect import get_run_logger
from prefect.input import RunInput
from pydantic import Field

from change.gate import record as gate_record
from change.gate.suspension import Gate, run_in_execution
from change.gate.waits import key_of
from runbook.errors import EnablementError, PermanentError
from runbook.foreign_text import plain
from runbook.gate import LackRecord, fingerprint_of

Found = TypeVar("Found")

BRIEFLY = timedelta(seconds=20)
"""How long a run looks again and again before it suspends: about what its next start would take."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a look did not find yet.

    Attributes:
        what: in words, that which is next first; the watcher finds the same words.
        waits_for: ends the sentence "this run waits for".
        advice: for the person who reads the form of the run's Resume, in markdown.
    """

    what: tuple[str, ...]
    waits_for: str
    advice: str


class LookAgain(RunInput):
    """What a person may add when pressing Resume; the run looks again in any case."""

    note: str = Field(default="", description="A note for the run's log.")


def look_briefly(until: datetime, every: float, see: Callable[[bool], Found | Lacking]) -> Found | Lacking:
    """Look until everything is there, at most for `BRIEFLY`.

    Args:
        until: when the whole wait ends.
        every: seconds between two looks.
        see: looks once; told whether it is for the last time. It then finds, or raises.
    """
    end = datetime.now(UTC) + BRIEFLY
    while True:
        now = datetime.now(UTC)
        found = see(now >= until)
        left = (min(until, end) - datetime.now(UTC)).total_seconds()
        if not isinstance(found, Lacking) or (left <= 0 and end <= until):
            return found
        time.sleep(min(every, max(0.0, left)))


def look_for(
    kind: str, timeout: float, every: float, see: Callable[[bool], Found | Lacking]
) -> Found | Lacking:
    """The same in a step of a run, which waits so long in all, over all its suspensions.

    Leaves the record by which the run is woken.

    Args:
        kind: of what may lack.
        timeout: seconds from when the run first waited for it; after a failure, *Retry* begins a new wait.
        every, see: see `look_briefly`.
    """
    run = gate_record.this_run()
    before = LackRecord.of_labels(run.labels)
    if before and (before.kind != kind or before.over):
        before = None
    since = before.since if before else datetime.now(UTC)
    until = since + timedelta(seconds=timeout)
    is_last = False

    def see_once(last: bool) -> Found | Lacking:
        nonlocal is_last
        is_last = last
        return see(last)

    def end() -> None:
        if before:
            gate_record.keep(run, before.model_copy(update={"over": True}))

    try:
        found = look_briefly(until, every, see_once)
    except EnablementError as error:
        if is_last or isinstance(error, PermanentError):
            end()
        raise
    if isinstance(found, Lacking):
        times, lacking = gate_record.suspensions(run, key_of(kind)), fingerprint_of(found.what)
        record = LackRecord(kind=kind, lacking=lacking, since=since, until=until, suspensions=times)
        gate_record.keep(run, record)
    else:
        end()
    return found


async def wait_for(kind: str, look: Callable[[], Found | Lacking]) -> Found:
    """Return what a step finds; suspend the run while it lacks something.

    Args:
        kind: of what may lack, as the step says it to `look_for`.
        look: runs the step.
    """
    run = run_in_execution()
    record = LackRecord.of_labels(run.labels) if run else None
    gate = Gate(LookAgain, key_of(kind))
    answer = await gate.answer()
    # Later executions of the run load the answer of a wait that is over once more.
    if answer and answer.note and (record is None or (record.kind == kind and not record.over)):
        get_run_logger().info("Resumed: %s", plain(answer.note))
    while isinstance(found := look(), Lacking):
        description = f"""\
This run waits for {found.waits_for}.

{found.advice}

The run continues by itself within minutes after that. Resume it to look now."""
        await gate.suspend(found.waits_for, description)
    return found
