"""A run in the test's own process that fails at one step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.engineer import Engineer
from tests.merge_service import Service
from tests.run import Run

_PATIENCE = 180.0

Fault = Callable[[], AbstractContextManager[Any]]
"""Something is wrong in the block."""


class FailingRun:
    """The run, and what its steps raised; by faults from outside."""

    def __init__(self, engineer: Engineer, run: Run, errors: list[BaseException]) -> None:
        self._engineer = engineer
        self._run = run
        self._errors = errors

    async def fails(self, step: str, fault: Fault) -> None:
        """Execute it, again if it has failed before, with the fault: it fails at that step."""
        with fault():
            assert await self._go() == "Failed", await self.story()
        assert self._run.error is not None
        self._errors.append(self._run.error)
        failed = [task.name for task in await self._run.tasks() if task.state_name == "Failed"]
        assert failed[-1:] == [step], await self.story()

    async def comes_to(self, state: str) -> None:
        """Execute it again, without a fault, until it is in this state."""
        assert await self._go() == state, await self.story()

    async def is_woken(self, service: Service) -> None:
        """Wait until the merge service has resumed it."""
        deadline = time.monotonic() + _PATIENCE
        while (await self._run.read()).state_name == "Suspended":
            assert time.monotonic() < deadline, f"{service.log}\n{await self.story()}"
            time.sleep(0.1)

    async def _go(self) -> str:
        if (await self._run.read()).state_name == "Failed":
            assert self._engineer.api.retry(str(self._run.id)) == "ACCEPT", await self.story()
        return await self._run.go()

    async def story(self) -> str:
        """What has happened so far, for who reads that a test failed."""
        state = (await self._run.read()).state
        tasks = [f"{task.state_name}: {task.name}" for task in await self._run.tasks()]
        return "\n".join([str(state), repr(self._run.error), *tasks, await self._run.logs()])
