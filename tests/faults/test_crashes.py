"""A crash anywhere is harmless: killed at a request, then run again, it ends as if undisturbed.

Killed just before it, and where it may change something just after it as well. What only reads leaves the
systems as they were: killed just after that is killed just before the next.

What a killed run leaves is what its requests have done until then, and a run that is started again knows
nothing else. So an undisturbed run is watched first: what the systems hold is read at each of its requests.
Then it is killed at each kind of request, once in each state in which such a request came, and must leave
what was seen; and from each state that any kill has left a whole run is made once: from the same state it
would be the same run again.

The gate divides a run, and its process ends there. So there are three parts of which every request is
watched: up to the gate; after the merge, the same steps again, which now only read; and what is behind the
gate.

What a run asks of GitHub only when people were there meanwhile is struck in runs of its own; so is what it
asks when it logs in by itself and has the reviewer's token made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import Busy, TransientError, Unreachable
from runbook.pull_request import plan_of
from tests.faults.faults import KILLS, Fault, Point, once
from tests.faults.installation import Proxies
from tests.faults.other_ways import LOGIN, REVIEWERS_TOKEN, REVOKE, SESSION, is_of_the_other_way, other_way
from tests.faults.other_ways import reset as reset_for_the_other_way
from tests.faults.run import ENABLED, WAITS, Scene
from tests.faults.state import State, difference, settle, state_of
from tests.faults.warm import Outcome, WarmProcess
from tests.world import World

pytestmark = pytest.mark.long

PULLS = "GitHub: GET /api/v3/repos/sandbox/gitops/pulls"
STEPS_THAT_WRITE = 5
_READS = {"GET", "LIST", "HEAD"}
_READ_BY_POST = "/git-upload-pack"
HOUR = 3600
"""Seconds; the run's ``token_ttl``, by default."""


@dataclass
class Part:
    """One part of a run, struck at its requests.

    Attributes:
        reset: brings the systems back to where this part begins.
        result: what a whole run returns at the end of this part.
        approved: hash of the approved plan, where the killed run begins behind the gate.
        last: how many requests of the undisturbed run belong to this part; None for all.
        only: which requests are struck; all of them by default.
        scene: of the runs; the usual one by default.
        requests: of the undisturbed run.
        states: what the systems held when each came, where that tells what a kill leaves; and at the end.
        wrong: what a run that was started again did otherwise, by the request at which the first was killed.
    """

    proxies: Proxies
    warm: WarmProcess
    reset: Callable[[], object]
    result: str
    approved: str = ""
    last: int | None = None
    only: Callable[[Point], bool] = lambda _point: True
    scene: Scene | None = None
    requests: list[Point] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def strike_each(self) -> None:
        """Kill at each kind of request; look at what is left; run again: nothing may be wrong then."""
        settle(self.proxies.world)
        start = state_of(self.proxies.world)
        end = self._undisturbed()
        self.reset()
        now = state_of(self.proxies.world)
        assert now == start, difference(start, now)
        proved: set[str] = set()
        kills = self._kills()
        assert kills
        for place, fault in kills:
            said = f"killed {fault.value} {self.requests[place]}"
            self._kill(place, fault, said)
            left = state_of(self.proxies.world)
            seen = self.states[place if fault is Fault.KILL_BEFORE else place + 1]
            assert left == seen, f"{said}: {difference(seen, left)}"
            if _text(left) not in proved:
                proved.add(_text(left))
                self._run_again(said, end)
            if left != start or state_of(self.proxies.world) != start:
                self.reset()
        assert self.wrong == []

    def _kills(self) -> list[tuple[int, Fault]]:
        found: dict[tuple[str, str, Fault], tuple[int, Fault]] = {}
        for place, point in enumerate(self.requests):
            before, after = _text(self.states[place]), _text(self.states[place + 1])
            may_change = before != after or not (point.method in _READS or point.path.endswith(_READ_BY_POST))
            for fault in KILLS if may_change else KILLS[:1]:
                if self.only(point):
                    # What changes something leaves a state of its own.
                    left = after if fault is Fault.KILL_AFTER else before
                    found.setdefault((point.name, left, fault), (place, fault))
        return list(found.values())

    def _undisturbed(self) -> State:
        script = self.proxies.script

        def watch(place: int, point: Point) -> None:
            asked = self.last is None or place <= self.last
            struck = self.only(point) or (place > 0 and self.only(script.seen[place - 1]))
            self.states.append(state_of(self.proxies.world) if asked and struck else {})

        script.begin(watch)
        outcome = self.warm.warm_up(self._scene, approved=self.approved)
        assert outcome == Outcome(0, self.result, "", "")
        self.requests = script.seen[: self.last]
        self.states.append(state_of(self.proxies.world))
        return self.states[-1]

    def _kill(self, place: int, fault: Fault, said: str) -> None:
        script = self.proxies.script
        script.begin(lambda at, _point: fault if at == place else None)
        outcome = self.warm.run(self._scene, script, approved=self.approved)
        assert script.seen == self.requests[: place + 1], f"{said}: another run than the undisturbed one"
        assert script.struck == [(self.requests[place], fault)], said
        assert outcome == Outcome(9, "", "", ""), f"{said}: the process ended otherwise: {outcome}"

    def _run_again(self, said: str, end: State) -> None:
        script = self.proxies.script
        script.begin()
        outcome = self.warm.run(self._scene, script)
        if outcome != Outcome(0, self.result, "", ""):
            self.wrong.append(f"{said}: run again, it ended with {outcome}")
        else:
            now = state_of(self.proxies.world)
            if now != end:
                self.wrong.append(f"{said}: run again, {difference(end, now)}")

    @property
    def _scene(self) -> Scene:
        return self.scene or self.proxies.scene()

    @property
    def names(self) -> list[str]:
        """The requests of which each kind is struck."""
        return [point.name for point in self.requests if self.only(point)]


def is_of_github(point: Point) -> bool:
    """Whether it goes to GitHub's API."""
    return point.system == "GitHub"


def _text(state: State) -> str:
    return json.dumps(state, sort_keys=True)


def no_credential_is_left(warm: WarmProcess, proxies: Proxies) -> None:
    """The clones that killed runs have left are nobody else's to read, and hold no secret."""
    assert [file for file in warm.temporary.rglob("HEAD") if (file.parent / "objects").is_dir()]
    assert {path.stat().st_mode & 0o077 for path in warm.temporary.iterdir()} == {0}
    secrets = [secret.encode() for secret in proxies.scene().secrets]
    files = [path for path in warm.temporary.rglob("*") if path.is_file()]
    assert [path for path in files for secret in secrets if secret in path.read_bytes()] == []


def test_killed_at_each_request_up_to_the_gate(proxies: Proxies, warm: WarmProcess) -> None:
    part = Part(proxies, warm, proxies.world.github.reset, WAITS)
    part.strike_each()
    asked = {point.system for point in part.requests}
    assert asked == {"Vault", "cluster", "GitHub", "Git"}
    assert {PULLS, "GitHub: POST /api/v3/repos/sandbox/gitops/pulls"} <= set(part.names)
    no_credential_is_left(warm, proxies)


def test_killed_at_each_request_from_the_merge_to_the_end(proxies: Proxies, warm: WarmProcess) -> None:
    script, scene, world = proxies.script, proxies.scene(), proxies.world
    approved = merged(proxies, warm)
    script.begin()
    assert warm.run(scene, script) == Outcome(0, ENABLED, "", "")
    whole = list(script.seen)
    world.vault.reset()

    behind = Part(proxies, warm, world.vault.reset, ENABLED, approved=approved)
    behind.strike_each()
    # Asked for the record of the first write of each step.
    assert behind.names.count("Vault: GET auth/token/lookup-self") >= STEPS_THAT_WRITE
    assert _words(whole[-len(behind.requests) :]) == _words(behind.requests)

    again = Part(proxies, warm, world.vault.reset, ENABLED, last=len(whole) - len(behind.requests))
    again.strike_each()
    # The two together are every request of a whole run.
    assert [*again.requests, *whole[-len(behind.requests) :]] == whole


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("ours", "GitHub: PATCH /api/v3/repos/sandbox/gitops/pulls/1"),
        ("theirs", "GitHub: POST /api/v3/repos/sandbox/gitops/issues/1/comments"),
    ],
)
def test_killed_while_it_shows_a_new_plan_it_says_so_once(
    proxies: Proxies, warm: WarmProcess, text: str, asked: str
) -> None:
    world = proxies.world

    def somebody_enables_the_mount() -> None:
        world.github.reset()
        world.vault.reset()
        to_the_gate(proxies, warm)
        world.as_vault_admin("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
        if text == "theirs":
            world.as_reviewer("PATCH", "/pulls/1", json={"body": "We know what this is."})

    somebody_enables_the_mount()
    part = Part(proxies, warm, somebody_enables_the_mount, WAITS, only=is_of_github)
    part.strike_each()
    assert asked in part.names


def test_killed_while_it_goes_on_after_a_change_that_came_another_way(
    proxies: Proxies, warm: WarmProcess, tmp_path: Path
) -> None:
    world = proxies.world
    to_the_gate(proxies, warm)
    world.land_by_hand(tmp_path)
    world.sync()
    # Once a login works the stores become Ready on the cluster, which is not undone.
    proxies.script.begin()
    assert warm.run(proxies.scene(), proxies.script) == Outcome(0, ENABLED, "", "")
    world.vault.reset()
    part = Part(proxies, warm, world.vault.reset, ENABLED, only=is_of_github)
    part.strike_each()
    assert part.names.count(f"{PULLS}/1") == 2
    # Who it was, of a change that did not come by its pull request.
    assert part.names[-1] == "GitHub: GET /api/v3/repos/sandbox/gitops/commits"


def test_killed_at_each_request_of_its_own_login_and_of_the_reviewers_token(
    proxies: Proxies, warm: WarmProcess
) -> None:
    world, scene = proxies.world, other_way(proxies)

    def start_anew() -> None:
        world.github.reset()
        reset_for_the_other_way(world)

    start_anew()
    proposed = Part(proxies, warm, start_anew, WAITS, only=is_of_the_other_way, scene=scene)
    proposed.strike_each()
    assert proposed.names == [LOGIN, REVOKE]

    approved = merged(proxies, warm, scene)
    # Once a login works the stores become Ready on the cluster, which is not undone.
    proxies.script.begin()
    assert warm.run(scene, proxies.script) == Outcome(0, ENABLED, "", "")
    reset_for_the_other_way(world)
    behind = Part(
        proxies,
        warm,
        lambda: reset_for_the_other_way(world),
        ENABLED,
        approved=approved,
        only=is_of_the_other_way,
        scene=scene,
    )
    behind.strike_each()
    assert behind.names.count(REVIEWERS_TOKEN) == 1
    # Those that write to Vault, the proof and the report.
    assert behind.names.count(LOGIN) == STEPS_THAT_WRITE + 2

    # What no kill leaves time for: the session ends by itself.
    proxies.script.begin(once({LOGIN: Fault.KILL_AFTER}))
    assert warm.run(scene, proxies.script, approved=approved) == Outcome(9, "", "", "")
    (session,) = [token for token in tokens_of(world) if token["path"] == "auth/approle/login"]
    assert 0 < session["ttl"] <= session["creation_ttl"] == SESSION


def test_killed_just_after_a_login_its_session_has_the_role_s_policy_and_ends_by_itself(
    proxies: Proxies, warm: WarmProcess
) -> None:
    approved = merged(proxies, warm)
    proxies.script.begin(once({"Vault: POST auth/ember-k8s/login": Fault.KILL_AFTER}))
    assert warm.run(proxies.scene(), proxies.script, approved=approved) == Outcome(9, "", "", "")
    (session,) = [token for token in tokens_of(proxies.world) if token["path"] == "auth/ember-k8s/login"]
    assert set(session["policies"]) == {"default", "emea-kv-r"}
    assert 0 < session["ttl"] <= session["creation_ttl"] == HOUR


def tokens_of(world: World) -> list[dict[str, Any]]:
    """What Vault says of every token that it has."""
    accessors = world.vault.request("LIST", "auth/token/accessors")["data"]["keys"]
    return [
        world.vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        for accessor in accessors
    ]


TRANSIENT = tuple(f"{kind.__name__}:" for kind in (TransientError, Unreachable, Busy))


def to_the_gate(proxies: Proxies, warm: WarmProcess, scene: Scene | None = None) -> None:
    """A run that opens the pull request."""
    proxies.script.begin()
    outcome = warm.run(scene or proxies.scene(), proxies.script)
    if outcome.error.startswith(TRANSIENT):
        # A slow machine; Prefect would make the step again, which these runs are without.
        outcome = warm.run(scene or proxies.scene(), proxies.script)
    assert outcome == Outcome(0, WAITS, "", ""), f"{outcome.error} {outcome.bug}"


def merged(proxies: Proxies, warm: WarmProcess, scene: Scene | None = None) -> str:
    """Have the change proposed, merged and synced; returns the hash of the plan that was approved by that."""
    to_the_gate(proxies, warm, scene)
    proxies.world.merge()
    proxies.world.sync()
    (pull,) = proxies.world.pulls()
    return plan_of(pull["body"]) or ""


def _words(points: list[Point]) -> list[str]:
    return [f"{point.system} {point.method} {point.path}" for point in points]
