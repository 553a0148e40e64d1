"""Whatever goes wrong with an answer, at any request: the same end, nothing doubled, an error of ours.

Every request of a run fails once, the first time that it is seen: its step is tried again then, as Prefect
would or as a person does by *Retry*. Whether it is worth a retry is asserted for each kind. A request that a
second try has no more need of (the read-back of a write that was done already) fails in the next round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from runbook.errors import Busy, EnablementError, TransientError, UnexpectedAnswer, Unreachable
from tests.faults.conftest import Counted
from tests.faults.faults import ANSWERS, ONLY_OF_VAULT, RETRY_AFTER, Fault, Point, Script
from tests.faults.installation import Proxies
from tests.faults.run import ENABLED, WAITS, run
from tests.faults.state import difference, settle, state_of

pytestmark = pytest.mark.long

T = TypeVar("T")
Struck = tuple[str, Point]
"""Name of a step, and a request of it."""

ERRORS: dict[Fault, type[EnablementError]] = {
    Fault.CUT: Unreachable,
    Fault.CUT_HEAD: Unreachable,
    Fault.TOO_MANY: Busy,
    Fault.BROKEN: Busy,
    Fault.SEALED: Busy,
    Fault.BEHIND: Busy,
    Fault.FLOOD: UnexpectedAnswer,
    Fault.GARBLED: UnexpectedAnswer,
}
"""What a step raises, where it is one error. A 404 means what it says, and may be no error at all."""

HEALS = {Fault.CUT, Fault.CUT_HEAD, Fault.TOO_MANY, Fault.BROKEN, Fault.SEALED, Fault.BEHIND}
"""Retried by Prefect. The others are for a person to look at."""

UNCLEAR_OF_GIT = {Fault.CUT_HEAD, Fault.FLOOD, Fault.GARBLED}

ROUNDS = 5


class EachOnce:
    """Strikes every request once, in the order in which they come.

    Attributes:
        wanted: requests of the undisturbed run, by step.
        struck: those that failed already.
        errors: what the steps raised.
    """

    def __init__(self, fault: Fault, script: Script, secrets: tuple[str, ...]) -> None:
        self._fault, self._script, self._secrets = fault, script, secrets
        self._step = ""
        self.wanted: set[Struck] = set()
        self.struck: set[Struck] = set()
        self.errors: list[str] = []

    def count(self, name: str, step: Callable[[], T]) -> T:
        """Try a step undisturbed, and note its requests."""
        self._script.begin()
        try:
            return step()
        finally:
            points = self._script.seen
            self.wanted |= {(name, point) for point in points if self._applies(point)}

    def strike(self, name: str, step: Callable[[], T]) -> T:
        """Try a step until nothing of it fails any more."""
        self._step = name
        while True:
            before = len(self.struck)
            self._script.begin(self._decide)
            try:
                return step()
            except EnablementError as error:
                if len(self.struck) == before:
                    raise
                self._check(error, name, [point for point, _ in self._script.struck])

    def _applies(self, point: Point) -> bool:
        return point.system == "Vault" or self._fault not in ONLY_OF_VAULT

    def _decide(self, _place: int, point: Point) -> Fault | None:
        one = (self._step, point)
        if one in self.struck or not self._applies(point):
            return None
        self.struck.add(one)
        return self._fault

    def _check(self, error: EnablementError, step: str, points: list[Point]) -> None:
        where = f"{step}, failed at {', '.join(map(str, points))}"
        said = f"{where}, with {self._fault.value}: {type(error).__name__}: {error}"
        assert error.system, said
        assert error.remedy, said
        assert not [secret for secret in self._secrets if secret in said], f"a secret in the error of {where}"
        # Of what it cannot read Git says much the same, wherever that ends.
        unclear = self._fault in UNCLEAR_OF_GIT and any(point.system == "Git" for point in points)
        if self._fault is not Fault.NOT_FOUND and not unclear:
            assert isinstance(error, TransientError) is (self._fault in HEALS), said
        if error.system not in {"Preflight", "Git"} and self._fault in ERRORS:
            assert isinstance(error, ERRORS[self._fault]), said
        if self._fault is Fault.TOO_MANY and error.system != "Git":
            assert isinstance(error, TransientError), said
            assert error.retry_after == RETRY_AFTER, said
        self.errors.append(said)


def fail_each(each: EachOnce, proxies: Proxies, result: str, reset: Callable[[], object]) -> None:
    """Count the requests of a run, then fail every one of them; the end is the same in each round."""
    world, scene = proxies.world, proxies.scene()
    assert run(scene, each.count) == result
    end = state_of(world)
    for _ in range(ROUNDS):
        reset()
        assert run(scene, each.strike) == result
        found = state_of(world)
        assert found == end, difference(end, found)
        if each.wanted <= each.struck:
            return
    missed = "; ".join(f"{name}: {point}" for name, point in sorted(each.wanted - each.struck, key=str))
    raise AssertionError(f"never failed: {missed}")


@pytest.mark.parametrize("fault", ANSWERS, ids=lambda fault: fault.name.lower())
def test_each_request_fails_once_and_the_end_is_the_same(
    proxies: Proxies, fault: Fault, counted: Counted
) -> None:
    world = proxies.world
    each = EachOnce(fault, proxies.script, proxies.scene().secrets)
    settle(world)
    fail_each(each, proxies, WAITS, world.github.reset)
    proxies.script.begin()
    world.merge()
    world.sync()
    settle(world)
    fail_each(each, proxies, ENABLED, world.vault.reset)
    counted(f"failed with {fault.value}", len(each.struck))
    assert each.errors
