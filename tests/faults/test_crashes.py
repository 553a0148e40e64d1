"""A crash anywhere is harmless: killed at each request in turn, then run again, it ends as if undisturbed.

The gate divides a run, and its process ends there. So there are three parts whose every request is struck: up
to the gate; after the merge, the same steps again, which now only read; and what is behind the gate.

A run that is started again knows nothing but what the systems hold. What they hold is read after every kill,
and from each state that any kill has left a whole run is made once: from the same state it would be the same
run again. With TEST_RUN_AGAIN_AFTER_EACH_KILL=1 it is made after every kill all the same, which takes minutes
longer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.faults.faults import KILLS, Fault, Point
from tests.faults.installation import Proxies
from tests.faults.run import ENABLED, WAITS
from tests.faults.state import State, difference, settle, state_of
from tests.faults.warm import Outcome, WarmProcess

pytestmark = pytest.mark.long

ALWAYS = bool(os.environ.get("TEST_RUN_AGAIN_AFTER_EACH_KILL"))


@dataclass
class Part:
    """One part of a run, struck at each of its requests.

    Attributes:
        reset: brings the systems back to where this part begins.
        result: what a whole run returns at the end of this part.
        landed: whether the killed run begins behind the gate.
        last: how many requests of the undisturbed run belong to this part; None for all.
        requests: of the undisturbed run.
        wrong: what a run that was started again did otherwise, by the request at which the first was killed.
    """

    proxies: Proxies
    warm: WarmProcess
    reset: Callable[[], object]
    result: str
    landed: bool = False
    last: int | None = None
    requests: list[Point] = field(default_factory=list)
    killed: int = 0
    runs_again: int = 0
    wrong: list[str] = field(default_factory=list)

    def strike_each(self) -> None:
        """Kill before and after each request; look at what is left; run again."""
        settle(self.proxies.world)
        start = state_of(self.proxies.world)
        end = self._undisturbed()
        self.reset()
        now = state_of(self.proxies.world)
        assert now == start, difference(start, now)
        proved: set[str] = set()
        for place, point in enumerate(self.requests):
            for fault in KILLS:
                said = f"killed {fault.value} {point}"
                self._kill(place, point, fault, said)
                left = state_of(self.proxies.world)
                if ALWAYS or _text(left) not in proved:
                    proved.add(_text(left))
                    self._run_again(said, end)
                if left != start or state_of(self.proxies.world) != start:
                    self.reset()

    def _undisturbed(self) -> State:
        script = self.proxies.script
        script.begin()
        outcome = self.warm.run(self.proxies.scene(), script, landed=self.landed)
        assert outcome == Outcome(0, self.result, "", "")
        self.requests = script.seen[: self.last]
        return state_of(self.proxies.world)

    def _kill(self, place: int, point: Point, fault: Fault, said: str) -> None:
        script = self.proxies.script
        script.begin(lambda at, _point: fault if at == place else None)
        outcome = self.warm.run(self.proxies.scene(), script, landed=self.landed)
        assert script.seen == self.requests[: place + 1], f"{said}: another run than the undisturbed one"
        assert script.struck == [(point, fault)], said
        assert outcome == Outcome(9, "", "", ""), f"{said}: the process ended otherwise: {outcome}"
        self.killed += 1

    def _run_again(self, said: str, end: State) -> None:
        script = self.proxies.script
        script.begin()
        outcome = self.warm.run(self.proxies.scene(), script)
        self.runs_again += 1
        if outcome != Outcome(0, self.result, "", ""):
            self.wrong.append(f"{said}: run again, it ended with {outcome}")
        else:
            now = state_of(self.proxies.world)
            if now != end:
                self.wrong.append(f"{said}: run again, {difference(end, now)}")

    def all_is_well(self) -> None:
        """Every request was struck on both sides, and nothing was wrong."""
        assert self.wrong == []
        assert self.killed == 2 * len(self.requests) > 0


def _text(state: State) -> str:
    return json.dumps(state, sort_keys=True)


def test_killed_before_and_after_each_request_up_to_the_gate(proxies: Proxies, warm: WarmProcess) -> None:
    part = Part(proxies, warm, proxies.world.github.reset, WAITS)
    part.strike_each()
    asked = {point.system for point in part.requests}
    assert asked == {"Vault", "cluster", "GitHub", "Git"}
    part.all_is_well()


def test_killed_before_and_after_each_request_from_the_merge_to_the_end(
    proxies: Proxies, warm: WarmProcess
) -> None:
    script, scene, world = proxies.script, proxies.scene(), proxies.world
    script.begin()
    assert warm.run(scene, script) == Outcome(0, WAITS, "", "")
    world.merge()
    world.sync()
    script.begin()
    assert warm.run(scene, script) == Outcome(0, ENABLED, "", "")
    whole = list(script.seen)
    world.vault.reset()

    behind = Part(proxies, warm, world.vault.reset, ENABLED, landed=True)
    behind.strike_each()
    behind.all_is_well()
    assert _words(whole[-len(behind.requests) :]) == _words(behind.requests)

    again = Part(proxies, warm, world.vault.reset, ENABLED, last=len(whole) - len(behind.requests))
    again.strike_each()
    again.all_is_well()
    # The two together are every request of a whole run.
    assert [*again.requests, *whole[-len(behind.requests) :]] == whole


def _words(points: list[Point]) -> list[str]:
    return [f"{point.system} {point.method} {point.path}" for point in points]
