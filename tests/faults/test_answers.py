"""Whatever goes wrong with an answer, at any request: the same end, nothing doubled, an error of ours.

Every request of a run fails once with each fault, the first time that it is seen (of those that are the same
question again and again, the later ones with one fault each): its step is tried again then, as Prefect would
or as a person does by *Retry*. Whether it is worth a retry is asserted for each kind. A request that a
second try has no more need of (the read-back of a write that was done already) fails in the next round.

In production others have put their own there before: what is theirs is looked for after every failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from runbook.errors import Busy, EnablementError, TransientError, UnexpectedAnswer, Unreachable
from runbook.pull_request import plan_of
from tests.faults.built_once import built_once
from tests.faults.faults import ANSWERS, ONLY_OF_VAULT, RETRY_AFTER, Fault, Point, Script
from tests.faults.installation import Proxies
from tests.faults.other_ways import LOGIN, REVIEWERS_TOKEN, REVOKE, is_of_the_other_way, let_in, other_way
from tests.faults.other_ways import reset as reset_for_the_other_way
from tests.faults.others import CONFIG, GROUP, ROLE, missing, put_there, without_pins
from tests.faults.run import ENABLED, WAITS, Scene, run
from tests.faults.state import difference, settle, state_of

pytestmark = pytest.mark.long

T = TypeVar("T")
Struck = tuple[str, Point, Fault]
"""Name of a step, a request of it, and how that fails."""

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

OF_ALL = tuple(fault for fault in ANSWERS if fault not in ONLY_OF_VAULT)
SAME_QUESTIONS = ("/info/refs?service=git-upload-pack", "/git-upload-pack", "/selfsubjectaccessreviews")
"""Asked a dozen times in one step, by the same lines of code or by Git itself."""

ROUNDS = 5
MORE_ROUNDS = 12
"""Where requests fail one by one: after a write is done, a round reaches one more of those that follow it."""


@pytest.fixture(autouse=True)
def _built_once() -> Iterator[None]:
    with built_once():
        yield


def any_request(_point: Point) -> bool:
    """Strike all."""
    return True


def _may_answer(fault: Fault, point: Point) -> bool:
    """First any fault that the system knows; of what is asked over and over, later one of them in turn."""
    if point.number > 1 and point.path.endswith(SAME_QUESTIONS):
        return fault is OF_ALL[point.number % len(OF_ALL)]
    return point.system == "Vault" or fault not in ONLY_OF_VAULT


class EachOnce:
    """Strikes every request once with each of some faults, in the order in which they come.

    Args:
        faults: all that fails in one try of a step fails with the same one of them.
        script: of the proxies.
        secrets: what no error may say.
        only: which requests fail.
        alone: one request fails in a try of a step; else all that have not failed before.
        after_failure: looks at what a failed step has left.

    Attributes:
        wanted: requests of the undisturbed run, by step, with each fault.
        struck: those that failed already.
        errors: what the steps raised.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        script: Script,
        secrets: tuple[str, ...],
        only: Callable[[Point], bool] = any_request,
        *,
        alone: bool = False,
        after_failure: Callable[[str], object] = lambda _said: None,
    ) -> None:
        self._faults, self._script, self._secrets = faults, script, secrets
        self._only, self._alone, self._after_failure = only, alone, after_failure
        self._step = ""
        self._fault: Fault | None = None
        self.wanted: set[Struck] = set()
        self.struck: set[Struck] = set()
        self.errors: list[str] = []

    def count(self, name: str, step: Callable[[], T]) -> T:
        """Try a step undisturbed, and note its requests."""
        self._script.begin()
        try:
            return step()
        finally:
            self.wanted |= {(name, *one) for point in self._script.seen for one in self._applicable(point)}

    def strike(self, name: str, step: Callable[[], T]) -> T:
        """Try a step until nothing of it fails any more."""
        self._step = name
        while True:
            before = len(self.struck)
            self._fault = None
            self._script.begin(self._decide)
            try:
                result = step()
            except EnablementError as error:
                if len(self.struck) == before:
                    raise
                self._check(error, name)
            else:
                if self._all_at_once or len(self.struck) == before:
                    return result

    @property
    def _all_at_once(self) -> bool:
        """Whether one try strikes whatever it asks for."""
        return len(self._faults) == 1 and not self._alone

    def _applicable(self, point: Point) -> list[tuple[Point, Fault]]:
        return [(point, fault) for fault in self._faults if self._only(point) and _may_answer(fault, point)]

    def _decide(self, _place: int, point: Point) -> Fault | None:
        if self._alone and self._script.struck:
            return None
        left = [one for one in self._applicable(point) if (self._step, *one) not in self.struck]
        for one in left:
            if self._fault in {None, one[1]}:
                self._fault = one[1]
                self.struck.add((self._step, *one))
                return self._fault
        return None

    def _check(self, error: EnablementError, step: str) -> None:
        fault = self._fault
        assert fault is not None
        points = [point for point, _ in self._script.struck]
        where = f"{step}, failed at {', '.join(map(str, points))}"
        said = f"{where}, with {fault.value}: {type(error).__name__}: {error}"
        assert error.system, said
        assert error.remedy, said
        assert not [secret for secret in self._secrets if secret in said], f"a secret in the error of {where}"
        # Of what it cannot read Git says much the same, wherever that ends.
        unclear = fault in UNCLEAR_OF_GIT and any(point.system == "Git" for point in points)
        if fault is not Fault.NOT_FOUND and not unclear:
            assert isinstance(error, TransientError) is (fault in HEALS), said
        if error.system != "Git" and "Also not met" not in error.remedy and fault in ERRORS:
            assert isinstance(error, ERRORS[fault]), said
        if fault is Fault.TOO_MANY and error.system != "Git":
            assert isinstance(error, TransientError), said
            assert error.retry_after == RETRY_AFTER, said
        self._after_failure(said)
        self.errors.append(said)


def fail_each(
    each: EachOnce,
    proxies: Proxies,
    result: str,
    reset: Callable[[], object],
    scene: Scene | None = None,
    approved: str = "",
    rounds: int = ROUNDS,
) -> None:
    """Count the requests of a run, then fail every one of them; the end is the same in each round."""
    world, scene = proxies.world, scene or proxies.scene()
    assert run(scene, each.count, approved=approved) == result
    end = state_of(world)
    for _ in range(rounds):
        reset()
        assert run(scene, each.strike, approved=approved) == result
        found = state_of(world)
        assert found == end, difference(end, found)
        if each.wanted <= each.struck:
            return
    missed = "; ".join(f"{name}: {point}" for name, point, _ in sorted(each.wanted - each.struck, key=str))
    raise AssertionError(f"never failed: {missed}")


def land(proxies: Proxies) -> str:
    """Have the change of a waiting run merged and synced; returns the hash of the approved plan."""
    world = proxies.world
    proxies.script.begin()
    world.merge()
    world.sync()
    settle(world)
    (pull,) = world.pulls()
    return plan_of(pull["body"]) or ""


@pytest.mark.parametrize("fault", ANSWERS, ids=lambda fault: fault.name.lower())
def test_each_request_fails_once_and_the_end_is_the_same(proxies: Proxies, fault: Fault) -> None:
    world = proxies.world
    each = EachOnce([fault], proxies.script, proxies.scene().secrets)
    settle(world)
    fail_each(each, proxies, WAITS, world.github.reset)
    land(proxies)
    fail_each(each, proxies, ENABLED, world.vault.reset)
    assert ("publish the report", Point("Vault", "GET", "sys/audit", 1), fault) in each.struck
    assert each.errors


def test_each_request_of_its_own_login_and_of_the_reviewers_token_fails_in_every_way(
    proxies: Proxies,
) -> None:
    world, scene = proxies.world, other_way(proxies)
    let_in(world)
    proxies.script.begin()
    assert run(scene) == WAITS
    approved = land(proxies)
    each = EachOnce(ANSWERS, proxies.script, scene.secrets, only=is_of_the_other_way)
    fail_each(each, proxies, ENABLED, lambda: reset_for_the_other_way(world), scene, approved)
    assert {point.name for _, point, _ in each.struck} == {LOGIN, REVOKE, REVIEWERS_TOKEN}
    assert each.errors


@pytest.mark.parametrize("fault", [Fault.NOT_FOUND, Fault.CUT], ids=lambda fault: fault.name.lower())
def test_what_others_have_put_there_stays_whichever_request_fails(proxies: Proxies, fault: Fault) -> None:
    world, scene = proxies.world, without_pins(proxies)

    def begin() -> None:
        world.vault.reset()
        put_there(world)

    def all_is_there(said: str = "") -> None:
        assert missing(world) == [], said

    begin()
    all_is_there()
    proxies.script.begin()
    assert run(scene) == WAITS
    approved = land(proxies)
    # Alone: a write that failed too would not have done what a read that failed led to.
    each = EachOnce([fault], proxies.script, scene.secrets, alone=True, after_failure=all_is_there)
    fail_each(each, proxies, ENABLED, begin, scene, approved, MORE_ROUNDS)
    all_is_there()
    written = {point.name for _, point, _ in each.struck if point.method == "POST"}
    assert {f"Vault: POST {path}" for path in (GROUP, CONFIG, ROLE)} <= written
