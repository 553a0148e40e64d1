"""The one thread that looks at what waiting runs wait for.

It looks at everything each interval, and at a repository at once when a delivery named it. Whatever happens
to GitHub, the Prefect server or a connection, the thread goes on: it says so in the log and tries again. What
a failed look or a lost delivery has missed, the next look finds.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from change.flow_runs import runs_by_state
from change.gate.watch import Round, Watch
from deployments.merge_service.metrics import Metrics, Seen
from deployments.merge_service.repositories import Known, read_repositories
from tasks.runbooks import RUNBOOKS

PAUSE = 0.5
"""Seconds between two looks at least, so that a burst of deliveries is one look. Doubled after each look that
failed or could not wake a run yet, up to the interval."""
_CLIENT_RETRIES = 1
"""Prefect's client waits 2 s, then 4, 8, ... after a 503; the loop itself tries again sooner."""
LATELY = timedelta(days=1)
"""How long runs that have ended are counted."""
_HEALTHY_ROUNDS = 3
_ROUND_SECONDS = 120.0
"""A look that takes longer than this hangs."""


class Loop:
    """Owns the watch and calls it from one thread.

    Attributes:
        repositories: those of the connections, as of the last look at everything.
        metrics: what Prometheus is told.
    """

    def __init__(self, watch: Watch, interval: float, log: logging.Logger, pause: float = PAUSE) -> None:
        """
        Args:
            watch: what looks; it also says in the log whom it woke, and why.
            interval: seconds between two looks that nobody asked for.
            log: for what goes wrong.
            pause: see `PAUSE`.
        """
        self.repositories: Known = frozenset()
        self.metrics = Metrics()
        self._watch = watch
        self._interval = interval
        self._pause = pause
        self._log = log
        self._changed = threading.Condition()
        self._asked: frozenset[str] = frozenset()
        self._regular_at = 0.0
        self._stopping = False
        self._succeeded: float | None = None
        # Prefect's settings are context-local: the thread is to have those of whoever makes it.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="merge loop", daemon=True
        )

    def start(self) -> None:
        """Begin with a look at everything."""
        self._thread.start()

    def stop(self, within: float) -> None:
        """End after the look that is under way, or after so many seconds: nothing has to be finished."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(within)

    def hint(self, repositories: Iterable[str]) -> None:
        """Something happened in these: look at once. Never waits."""
        with self._changed:
            self._asked |= frozenset(repositories)
            self._changed.notify()

    def health(self) -> dict[str, Any]:
        """How it is, for `/healthz`. May be asked from any thread.

        Returns:
            ``reason``: why it is not well, empty while it is; ``last_success``: seconds since a look
            succeeded, None before; ``waiting``: how many runs waited at the last look at everything;
            ``problems``: what could not be read then, as ``system, subject``.
        """
        age = None if self._succeeded is None else round(time.monotonic() - self._succeeded, 1)
        reason = ""
        if not self._thread.is_alive():
            reason = "the loop has ended"
        elif age is None:
            reason = "no check has succeeded yet"
        elif age > _HEALTHY_ROUNDS * self._interval + _ROUND_SECONDS:
            reason = f"no check has succeeded for {age} s"
        # The log says more: anybody may ask for the health, and errors name addresses.
        found = self.metrics.seen and self.metrics.seen.found
        return {
            "reason": reason,
            "last_success": age,
            "waiting": found.waiting if found else None,
            "problems": [f"{one.system}, {one.subject}" for one in found.problems] if found else [],
        }

    def _work(self) -> None:
        pause = self._pause
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: _CLIENT_RETRIES}):
            while not self._stopping:
                # Longer where Prefect was busy, a run had looked and not yet suspended, or the look failed.
                pause = self._pause if self._look_where_due() else min(2 * pause, self._interval)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, pause)

    def _look_where_due(self) -> bool:
        """Wait until a look is due; returns whether it succeeded and woke every run that is to be woken."""
        with self._changed:
            left = self._regular_at - time.monotonic()
            self._changed.wait_for(lambda: self._asked or self._stopping, left)
            asked, self._asked = self._asked, frozenset()
        began = time.monotonic()
        is_regular = began >= self._regular_at
        try:
            found = [self._look_at_everything()] if is_regular else [self._look(one) for one in sorted(asked)]
        except Exception as error:  # noqa: BLE001 - nothing may end the thread
            # Where it is none of Prefect's client, it is a fault of the service itself.
            is_fault = not isinstance(error, httpx.HTTPError)
            line = (str(error).splitlines() or [""])[0]
            self._log.warning("check failed: %s: %s", type(error).__name__, line, exc_info=is_fault)
            done, woken = False, None
        else:
            self._succeeded = time.monotonic()
            done = not any(one.again for one in found)
            woken = [one.wakings for one in found]
        self.metrics.looked(time.monotonic() - began, woken)
        if is_regular:
            self._regular_at = time.monotonic() + (self._interval if done else 0.0)
        elif not done:
            self.hint(asked)
        return done

    def _look(self, repository: str) -> Round:
        # It makes room for what is announced meanwhile; the regular look ends in any case, so that a
        # repository to which somebody pushes all the time is compared too.
        found = self._watch.look(repository, is_wanted_elsewhere=lambda: bool(self._asked))
        if found.unfinished:
            self.hint([repository])
        return found

    def _look_at_everything(self) -> Round:
        try:
            self.repositories = read_repositories()
        except httpx.HTTPStatusError as error:
            # Which deliveries concern us is known from before; what there is to wake is not less urgent.
            self._log.warning("repositories not read: %s", type(error).__name__)
        found = self._watch.look()
        self.metrics.seen = Seen(time.time(), found, self._watch.github_calls(), self._count_runs())
        for problem in found.problems:
            self._log.warning("%s", problem)
        return found

    def _count_runs(self) -> Mapping[str, int] | None:
        try:
            with get_client(sync_client=True) as client:
                return runs_by_state(client, LATELY, *(runbook.flow for runbook in RUNBOOKS))
        except httpx.HTTPError as error:
            # Whoever was to be woken was woken.
            self._log.warning("runs not counted: %s", type(error).__name__)
            return None
