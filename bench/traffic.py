"""Requests that a whole run makes, counted in several parts."""

from __future__ import annotations

from collections import Counter

from tests.traffic import SYSTEMS, Kind, Systems
from tests.traffic import Traffic as Requests


class Traffic:
    """Counts what the systems are asked while it is switched on.

    The GitOps agent and the reviewer use the same stand-ins: switch it off while they are at work.
    """

    def __init__(self, world: Systems) -> None:
        self._requests = Requests(world)
        self.counts: dict[str, Counter[Kind]] = {name: Counter() for name in SYSTEMS}
        self.writes: list[str] = []

    def start(self) -> None:
        """Count from here."""
        self._requests.forget()

    def stop(self) -> None:
        """Count up to here."""
        for asked in self._requests.requests():
            self.counts[asked.system][asked.kind] += 1
            if asked.kind == "write":
                self.writes.append(str(asked))

    def total(self, kind: Kind) -> int:
        """Requests of a kind, of all systems."""
        return sum(counter[kind] for counter in self.counts.values())
