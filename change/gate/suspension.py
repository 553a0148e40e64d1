"""Suspend a run while it waits for something.

Waiting costs nothing: the run's process ends, and whoever resumes the run only wakes it up.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from itertools import count
from typing import Any, Generic, TypeVar
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.input import RunInput, keyset_from_base_key, keyset_from_paused_state
from prefect.logging import get_logger
from prefect.runtime import flow_run
from prefect.states import Suspended
from prefect.utilities.engine import propose_state

_NUMBER = re.compile(r"[0-9]{1,9}")

Form = TypeVar("Form", bound=RunInput)


def used_keys(run: FlowRun | None, prefix: str) -> list[str]:
    """Keys that begin so, with which a run was suspended, oldest first: a number follows the prefix."""
    keys = (run.empirical_policy.pause_keys if run else None) or ()
    # Whoever pauses a run over Prefect's API chooses the key, which may only look like one of ours.
    numbers = {
        key: number for key in keys if key.startswith(prefix) and (number := _NUMBER.match(key, len(prefix)))
    }
    return sorted(numbers, key=lambda key: int(numbers[key][0]))


def run_in_execution() -> FlowRun | None:
    """The run as it was when its execution began, with the keys of its suspensions."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def first_suspended(ending: str) -> datetime:
    """Since when the run waits under a key that ends so; now if it has not waited yet."""
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(UUID(str(flow_run.id)))
    waits = (one.timestamp for one in states if (one.state_details.pause_key or "").endswith(ending))
    return min(waits, default=datetime.now(UTC))


class Gate(Generic[Form]):
    """Where a run waits for one thing: it looks, suspends itself while there is nothing, and looks again.

    A resume between look and suspension is lost, and anybody can resume: so each look is followed by another.
    Each suspension has a key of its own. Prefect answers a key that was used at once, with what the person
    who resumed the run filled in.

    Attributes:
        last_key: with which the run was suspended here last; empty if it was not.
    """

    def __init__(self, form: type[Form], prefix: str) -> None:
        """
        Args:
            form: what a person may fill in.
            prefix: of the keys.
        """
        self._form, self._prefix = form, prefix
        keys = used_keys(run_in_execution(), prefix)
        self.last_key = keys[-1] if keys else ""
        self._numbers = count(len(keys) + 1)

    async def answer(self) -> Form | None:
        """What was filled in when the run was resumed here last; None if it was not suspended here."""
        # Loaded here: suspending again with the used key would answer too, and log that the run suspends.
        if not self.last_key:
            return None
        return await self._form.aload(keyset_from_base_key(f"suspended-{self.last_key}"))

    async def suspend(self, what: str, description: str, suffix: str = "") -> None:
        """As Prefect's own `suspend_flow_run`, whose state cannot say what the run waits for.

        Returns only where the key was answered before.

        Args:
            what: the run waits for, in words.
            description: above the form.
            suffix: follows the number in the key.

        Raises:
            Pause: ends the process of the run, which is suspended.
        """
        run = run_in_execution()
        if run is None:
            raise RuntimeError("only a flow run can be suspended")
        get_logger("flow_runs").addFilter(_is_more_than_that_it_waits)
        # No full stop: what may end in an address is a link, and Prefect's UI takes a stop for a part of it.
        get_run_logger().info("This run waits for %s", what)
        key = f"{self._prefix}{next(self._numbers)}{suffix}"
        state: State[Any] = Suspended(pause_key=key, message=f"waits for {what}")
        keyset = keyset_from_paused_state(state)
        state.state_details.run_input_keyset = {str(name): each for name, each in keyset.items()}
        async with get_client() as client:
            try:
                state = await propose_state(client, state, run.id)
            except Abort as refused:
                raise RuntimeError(f"the run cannot be suspended: {refused}") from refused
            if state.is_running():
                return
            if not state.is_paused():
                raise RuntimeError(f"the run cannot be suspended: it is {state.name}")
            await self._form.with_initial_data(description=description).asave(keyset)
        raise Pause(state=state)


def _is_more_than_that_it_waits(record: logging.LogRecord) -> bool:
    """Prefect logs as an error whatever an async run ends in but Completed; to wait is none."""
    return not record.getMessage().startswith("Finished in state Suspended(")
