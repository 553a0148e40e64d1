"""The one thread that looks: at what waiting runs wait for, and at runs that are stuck.

Whatever happens to GitHub, the Prefect server or a connection, the thread goes on: it says so in the log and
tries again. Waking is level-triggered, so a look that failed or a delivery that was lost is made up for by
the next look.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from deployments.merge_service.repositories import Repositories, read_repositories
from deployments.merge_service.schedule import Schedule, Target
from deployments.merge_service.stuck import StuckRuns
from runbook.errors import EnablementError

_CLIENT_RETRIES = 1
"""Prefect's client waits 2 s, then 4, 8, ... after a 503; the loop itself tries again sooner."""
_HEALTHY_ROUNDS = 3
_ROUND_SECONDS = 120.0
"""A look that takes longer than this hangs."""


class Round(Protocol):
    """What a look found; see `tasks.watch.Round`."""

    @property
    def waiting(self) -> int: ...
    @property
    def woken(self) -> tuple[str, ...]: ...
    @property
    def again(self) -> tuple[str, ...]: ...
    @property
    def problems(self) -> tuple[EnablementError, ...]: ...
    @property
    def unfinished(self) -> bool: ...


class Watcher(Protocol):
    """What looks and wakes; see `tasks.watch.Watch`. Used by the loop's thread only."""

    def look(self, repository: str | None = None, *, is_wanted_elsewhere: Callable[[], bool] = ...) -> Round:
        """Look at what runs wait for: all of them, or those of one repository (``owner/name``)."""
        ...

    @property
    def not_before(self) -> float | None:
        """Until when GitHub asked us to stay away, as `time.monotonic` has it; None if it did not."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """How the loop is. ``reason`` is empty while it is well.

    Attributes:
        last_success: seconds since the last look that succeeded, None before the first.
        waiting: how many runs waited at the last look at everything.
        problems: what could not be read then, as ``system, subject``.
    """

    reason: str
    last_success: float | None
    waiting: int | None
    problems: tuple[str, ...]


class Loop:
    """Owns the watcher and calls it from one thread."""

    def __init__(
        self, watcher: Watcher, stuck: StuckRuns, *, interval: float, pause: float, log: logging.Logger
    ) -> None:
        """
        Args:
            watcher: what looks; it also says in the log whom it woke, and why.
            stuck: what revives runs that nobody starts.
            interval: seconds between two looks that nobody asked for.
            pause: seconds between two looks at least.
            log: for what goes wrong, and what is well again.
        """
        self._watcher = watcher
        self._stuck = stuck
        self._interval = interval
        self._log = log
        self._changed = threading.Condition()
        self._schedule = Schedule(interval, pause, time.monotonic())
        self._chores_at = time.monotonic()
        self._stopping = False
        self._repositories: Repositories | None = None
        self._succeeded: float | None = None
        self._waiting: int | None = None
        self._problems: tuple[str, ...] = ()
        self._trouble: dict[str, str] = {}
        # Prefect's settings are context-local: the thread is to have those of whoever makes it.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="merge loop", daemon=True
        )

    def start(self) -> None:
        """Begin with a look at everything."""
        self._thread.start()

    def stop(self, within: float) -> bool:
        """End after the look that is under way. Returns whether it ended within so many seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether the thread works."""
        return self._thread.is_alive()

    @property
    def repositories(self) -> Repositories | None:
        """Those of the connections, as of the last look at everything; None while not read yet."""
        return self._repositories

    def hint(self, target: Target) -> None:
        """Something happened there: look at once. Never waits."""
        with self._changed:
            self._schedule.hint(target)
            self._changed.notify()

    def health(self) -> Health:
        """How it is. May be asked from any thread."""
        now = time.monotonic()
        succeeded = self._succeeded
        allowed = _HEALTHY_ROUNDS * self._interval + _ROUND_SECONDS
        reason = ""
        if not self.is_alive:
            reason = "the loop has ended"
        elif succeeded is None:
            reason = "no look has succeeded yet"
        elif now - succeeded > allowed:
            # Why stands in the log: anybody may ask for the health, and errors name addresses.
            reason = f"no look has succeeded for {now - succeeded:.0f} s"
        return Health(
            reason,
            None if succeeded is None else round(now - succeeded, 1),
            self._waiting,
            self._problems,
        )

    def _work(self) -> None:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: _CLIENT_RETRIES}):
            while True:
                with self._changed:
                    while not self._stopping and (pause := self._pause()) > 0:
                        self._changed.wait(pause)
                    if self._stopping:
                        return
                    target = self._schedule.take(time.monotonic())
                if time.monotonic() >= self._chores_at:
                    self._chores_at = time.monotonic() + self._interval
                    self._attempt("repositories", self._read_repositories)
                    self._attempt("stuck runs", self._revive)
                if target:
                    self._look(target)

    def _pause(self) -> float:
        return min(self._schedule.next_at(), self._chores_at) - time.monotonic()

    def _look(self, target: Target) -> None:
        again: list[str] = []

        def look() -> None:
            targets: Sequence[str | None] = (None,) if target.everything else sorted(target.repositories)
            for repository in targets:
                again.extend(self._one_look(repository))

        succeeded = self._attempt("look", look)
        now = time.monotonic()
        with self._changed:
            if succeeded:
                self._succeeded = now
                self._schedule.looked(target, frozenset(again), now)
            else:
                self._schedule.failed(target, now)
            away_until = self._watcher.not_before or 0.0
            self._schedule.stay_away(away_until)
        asked = "GitHub asks to be left alone; only the regular looks go on"
        self._tell("rate limit", asked if away_until > now else "")

    def _one_look(self, repository: str | None) -> tuple[str, ...]:
        # A look that a delivery asked for makes room for the next one; the regular look ends in any case,
        # so that a repository to which somebody pushes all the time is compared too.
        has_hints = (lambda: self._schedule.has_hints) if repository else (lambda: False)
        found = self._watcher.look(repository, is_wanted_elsewhere=has_hints)
        if found.unfinished and repository:
            with self._changed:
                self._schedule.hint(Target(repositories=frozenset({repository})))
        if repository is None:
            self._waiting = found.waiting
            self._problems = tuple(f"{problem.system}, {problem.subject}" for problem in found.problems)
            self._tell("problems", "; ".join(map(str, found.problems)))
        return found.again

    def _read_repositories(self) -> None:
        with get_client(sync_client=True) as client:
            self._repositories = read_repositories(client)

    def _revive(self) -> None:
        with get_client(sync_client=True) as client:
            self._stuck.revive(client)

    def _attempt(self, what: str, action: Callable[[], None]) -> bool:
        """Do it; returns whether it went well. What did not is said once, not each time."""
        try:
            action()
        except (EnablementError, httpx.HTTPError) as error:
            self._tell(what, f"{type(error).__name__}: {_first_line(error)}")
            return False
        except Exception as error:  # noqa: BLE001 - nothing may end the thread; the fault is in the log
            if self._tell(what, f"{type(error).__name__}: {_first_line(error)}"):
                self._log.error("A fault of the service itself, please report it.", exc_info=True)
            return False
        self._tell(what, "")
        return True

    def _tell(self, what: str, trouble: str) -> bool:
        """Say what changed. Returns whether there is new trouble."""
        before = self._trouble.get(what, "")
        if trouble == before:
            return False
        self._trouble[what] = trouble
        if trouble:
            self._log.warning("%s: %s", what, trouble)
        else:
            self._log.info("%s: well again.", what)
        return bool(trouble)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
