"""When to look next, and at what. Pure: it is told the time.

- Every `interval` seconds at everything.
- At once at a repository that a delivery named; several deliveries together cause one look.
- While a look found runs that could not be woken yet (the server was busy, or the run had looked but not yet
  suspended), again after each `pause` for half a minute.
- After a look that failed as a whole, again: soon at first, then ever later, up to the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

AGAIN_SECONDS = 30.0
"""How long runs that could not be woken are tried quickly; then the next regular look is soon enough."""
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Target:
    """What to look at: everything, or some repositories (``owner/name``)."""

    everything: bool = False
    repositories: frozenset[str] = frozenset()

    def __or__(self, other: Target) -> Target:
        return Target(self.everything or other.everything, self.repositories | other.repositories)

    def __bool__(self) -> bool:
        return self.everything or bool(self.repositories)

    def __str__(self) -> str:
        return "everything" if self.everything else ", ".join(sorted(self.repositories))


EVERYTHING = Target(everything=True)


class Schedule:
    """The plan of one loop. Times are seconds of one monotonic clock."""

    def __init__(self, interval: float, pause: float, now: float) -> None:
        self._interval = interval
        self._pause = pause
        self._poll_at = now
        self._earliest = now
        self._away_until = now
        self._waiting = Target()
        self._again_at: float | None = None
        self._again_for = Target()
        self._again_since: float | None = None
        self._given_up: frozenset[str] = frozenset()
        self._failures = 0

    def hint(self, target: Target) -> None:
        """A delivery says that something happened there."""
        self._waiting |= target

    @property
    def has_hints(self) -> bool:
        """Whether deliveries came that no look has served yet."""
        return bool(self._waiting)

    def next_at(self) -> float:
        """When something is to be done; may be in the past."""
        hurried = [self._earliest] if self._waiting else []
        if self._again_at is not None:
            hurried.append(self._again_at)
        times = [self._poll_at]
        if hurried:
            times.append(max(min(hurried), self._away_until))
        return max(min(times), self._earliest)

    def take(self, now: float) -> Target:
        """What is to be looked at now; empty if nothing. It counts as under way until told the outcome."""
        if now < self.next_at():
            return Target()
        target, self._waiting = self._waiting, Target()
        if now >= self._poll_at:
            target |= EVERYTHING
            self._poll_at = now + self._interval
        if self._again_at is not None and now >= self._again_at:
            target |= self._again_for
            self._again_at = None
        return target

    def looked(self, target: Target, again: frozenset[str], now: float) -> None:
        """A look was made.

        Args:
            target: what was looked at.
            again: names of runs that should have been woken and could not be.
            now: when it ended.
        """
        self._failures = 0
        self._earliest = now + self._pause
        if not again:
            if target.everything or target == self._again_for:
                self._again_since, self._again_at, self._given_up = None, None, frozenset()
            return
        if again <= self._given_up:
            return
        if self._again_since is None:
            self._again_since, self._again_for = now, Target()
        if now - self._again_since < AGAIN_SECONDS:
            self._again_at = now + self._pause
            self._again_for |= target
        else:
            self._again_since, self._given_up = None, again

    def failed(self, target: Target, now: float) -> None:
        """A look failed as a whole: it is made up for."""
        self._waiting |= target
        delay = self._pause * 2.0 ** min(self._failures, _MOST_DOUBLINGS)
        self._earliest = now + min(delay, self._interval)
        self._failures += 1

    def stay_away(self, until: float) -> None:
        """GitHub asked for it: no look before that time but the regular ones.

        Those go on for other repositories, and because the watcher itself leaves out what must not be asked.
        """
        self._away_until = until
