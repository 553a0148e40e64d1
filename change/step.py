"""What every step has in common: how it is retried, and how it changes Vault.

No step is answered from a stored result: after days at the gate, or after a failure that somebody mended, the
world is another one. What is done already is found as wanted, and not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypedDict, TypeVar

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from change.artifacts import prefect_is_away
from change.permission import Permission
from runbook.changes import Change, pending
from runbook.errors import Busy, MadeMeanwhile, NotYetSynced, TransientError
from runbook.objects import Seen, VaultObject
from systems.vault import Vault

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 4
"""Tries after the first, 2, 4, 8 and 16 seconds apart, up to half as long again by jitter."""

READ_BACK_PAUSES = (0.2, 0.5, 1.0)
"""Seconds until what reads back otherwise is read once more, and then written again: one write each."""

LONGEST_WAIT = 300.0
"""Seconds that a ``Retry-After`` is honoured for before one try; it may name an hour."""


def is_worth_retrying(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Only what may heal by itself. `NotYetSynced` has waited long enough inside its step.

    After the last retry that Prefect knows of it logs the error once more, with a traceback. So it is told of
    one more than there is, which is never worth it.

    Where a system names the time after which it wants to be asked again, this returns after that time: the
    delays that Prefect adds are fixed, and asking sooner is what a rate limit punishes.
    """
    error = state.result(raise_on_failure=False)
    if run.run_count > RETRIES:
        return False
    if prefect_is_away(error):
        return True
    if not isinstance(error, TransientError) or isinstance(error, NotYetSynced):
        return False
    if error.retry_after:
        wait = min(error.retry_after, LONGEST_WAIT)
        get_run_logger().info("%s asks to be called again in %.0f s.", error.system, wait)
        time.sleep(wait)
    return True


def step(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Decorate a step: a task that looks again each time it is reached, and is retried where that may help.

    Its result stays in memory: whichever worker goes on with the run finds out anew what is there.
    """
    return task(
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=RETRIES + 1,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_worth_retrying,
    )


def say_instead(words: str) -> None:
    """Have this run of a step be called so: lists of runs say of a step's name that it was completed."""
    if context := TaskRunContext.get():
        context.task_run.name = words


def realize(
    vault: Vault, objects: Sequence[VaultObject], given: Permission, just_seen: Seen | None = None
) -> list[Change]:
    """Bring objects of Vault to where they should be: read, write the difference, read back.

    Vault has no compare-and-set for these objects, so each is read right before the write. What is read back
    otherwise (a standby lags, another run wrote at the same instant) is compared anew and written again, a
    few times.

    Args:
        vault: where to write.
        objects: none of them needs another one to be there first.
        given: what may be written, and where each write is recorded.
        just_seen: the look that has just found as wanted what these need; it is gone on with.

    Returns:
        What was there and what was changed.

    Raises:
        Conflict: an object is somebody else's.
        PlanMoved: the difference is not a part of the approved plan; nothing of it is written.
        Busy: it still reads back otherwise than it was written.
    """
    seen = just_seen or Seen(vault)

    def compare() -> list[Change]:
        return [one.compare(seen) for one in objects]

    written: dict[str, Change] = {}
    changes = compare()
    for pause in READ_BACK_PAUSES:
        todo = pending(changes)
        if not todo:
            break
        given.check(todo)
        for change in todo:
            try:
                with given.recording(change):
                    vault.write(change.path, change.payload)
            except MadeMeanwhile:
                # What it is like, the read-back tells.
                continue
            written[change.object] = change
        seen.forget(todo)
        changes = compare()
        if pending(changes):
            time.sleep(pause)
            seen.forget()
            changes = compare()
    left = pending(changes)
    if left:
        raise Busy(
            "Vault",
            left[0].object,
            f"does not read back as written: {left[0]}",
            "It is retried automatically; if this stays, somebody else is changing it at the same time.",
        )
    return [written.get(change.object, change) for change in changes]


class Outcome(TypedDict):
    """The result of a step that writes, without what it wrote: that may be a secret.

    Attributes:
        changes: `Change.as_json` of each object, with what was found.
    """

    changes: list[dict[str, Any]]


def outcome(changes: Sequence[Change]) -> Outcome:
    """The result of a step that has dealt with these."""
    return {"changes": [change.as_json() for change in changes]}


def log_changes(changes: Sequence[Change]) -> None:
    """One line for each object that was as wanted; a change has its line with its record."""
    for change in changes:
        if change.action == "none":
            get_run_logger().info("%s", change)
