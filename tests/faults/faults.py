"""Which request of a run is struck, and with what.

A `Script` is shared by the proxies of one installation: it notes the requests of a run in the order in which
they come, and decides for each of them whether it is struck.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import psutil

RETRY_AFTER = 7
"""Seconds that a 429 asks for: more than Prefect waits before the first retry."""

FLOOD = 10 * 1024 * 1024
"""Bytes of an answer that nobody should read to its end."""


class Fault(Enum):
    """What happens to a request; the value completes "failed with ...", or "killed ..."."""

    KILL_BEFORE = "just before"
    KILL_AFTER = "just after"
    CUT = "a connection cut in the middle of the answer"
    CUT_HEAD = "a connection cut in the head of the answer"
    TOO_MANY = "429 and Retry-After"
    BROKEN = "500"
    SEALED = "503, as a sealed Vault"
    BEHIND = "412 of a standby"
    NOT_FOUND = "404 of a standby"
    FLOOD = "an answer of 10 MB"
    GARBLED = "an answer of broken JSON"

    @property
    def reaches_the_server(self) -> bool:
        """Whether the server has done what it was asked to when the client is struck."""
        return self in {Fault.KILL_AFTER, Fault.CUT, Fault.CUT_HEAD, Fault.FLOOD, Fault.GARBLED}


KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
ANSWERS = tuple(fault for fault in Fault if fault not in KILLS)
ONLY_OF_VAULT = frozenset({Fault.BEHIND, Fault.NOT_FOUND})
"""What no other system answers in this sense."""


@dataclass(frozen=True, slots=True)
class Point:
    """One request: the ``number``-th of its kind since the script began."""

    system: str
    method: str
    path: str
    number: int

    @property
    def name(self) -> str:
        """Without its number."""
        return f"{self.system}: {self.method} {self.path}"

    def __str__(self) -> str:
        return f"{self.name} (number {self.number})" if self.number > 1 else self.name


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Decide = Callable[[int, Point], Fault | None]
"""Position in the run, from 0, and the request; None lets it through."""


def once(strikes: Mapping[str, Fault]) -> Decide:
    """Strike requests by their names, each the first time that it comes."""
    left = dict(strikes)
    return lambda _place, point: left.pop(point.name, None)


def nothing(_place: int, _point: Point) -> None:
    """Strike nothing."""


class Held:
    """Decides nothing, but keeps the requests that match waiting: ``waits`` for ``let_go``."""

    def __init__(self, matches: Callable[[Point], bool]) -> None:
        self._matches = matches
        self.waits, self.let_go = threading.Event(), threading.Event()

    def __call__(self, _place: int, point: Point) -> None:
        if not self.let_go.is_set() and self._matches(point):
            self.waits.set()
            self.let_go.wait()


class Script:
    """What was asked, and what to strike. Used by the threads of all proxies.

    Attributes:
        seen: the requests since `begin`, as they came; ``moments`` has the time (monotonic) of each.
        struck: those of them that failed, and how.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._victim_is_known = threading.Event()
        self._kill: Callable[[str], None] = lambda _system: None
        self.begin()

    def begin(self, decide: Decide = nothing) -> None:
        """Count from here, and strike what ``decide`` names."""
        with self._lock:
            self._decide = decide
            self._numbers: Counter[tuple[str, str, str]] = Counter()
            self.seen: list[Point] = []
            self.moments: list[float] = []
            self.struck: list[tuple[Point, Fault]] = []
            self._victim_is_known.clear()

    def kill_by(self, kill: Callable[[str], None]) -> None:
        """How the client of this run is killed while it asks a system, once that is known."""
        self._kill = kill
        self._victim_is_known.set()

    def asked(self, system: str, method: str, path: str) -> Fault | None:
        """Note a request; what is to be done with it."""
        with self._lock:
            self._numbers[system, method, path] += 1
            point = Point(system, method, path, self._numbers[system, method, path])
            fault = self._decide(len(self.seen), point)
            self.seen.append(point)
            self.moments.append(time.monotonic())
            if fault is not None:
                self.struck.append((point, fault))
            return fault

    def kill(self, system: str) -> None:
        """Kill the client of this run, which is asking ``system``."""
        self._victim_is_known.wait()
        self._kill(system)


def kill_process(pid: Callable[[], int]) -> Callable[[str], None]:
    """SIGKILL to the process of that id. Once sent, the process runs no further line of its own.

    Git's requests come from children of it, which would outlive it and ask once more over a new connection:
    they are killed after it.
    """

    def kill(system: str) -> None:
        victim = psutil.Process(pid())
        children = victim.children(recursive=True) if system == "Git" else []
        victim.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    return kill


_MESSAGES: Mapping[Fault, tuple[int, str]] = {
    Fault.TOO_MANY: (429, "too many requests"),
    Fault.BROKEN: (500, "internal error"),
    Fault.SEALED: (503, "Vault is sealed"),
    Fault.BEHIND: (412, "required index state not present"),
    Fault.NOT_FOUND: (404, ""),
}


def answer_of(fault: Fault, system: str, true: Answer | None) -> Answer:
    """The answer that the client gets instead of ``true``, in the shape of the system's own."""
    json_type = (("Content-Type", "application/json"),)
    if fault is Fault.FLOOD:
        return Answer(200, json_type, b'{"data": "' + b"x" * FLOOD)
    if fault is Fault.GARBLED:
        return Answer(200, json_type, (true.body.rstrip()[:-1] if true else b"") or b'{"data": {"keys": ')
    status, words = _MESSAGES[fault]
    headers = (*json_type, ("Retry-After", str(RETRY_AFTER))) if fault is Fault.TOO_MANY else json_type
    return Answer(status, headers, json.dumps(_refusal(system, status, words)).encode())


def _refusal(system: str, status: int, words: str) -> dict[str, object]:
    if system == "Vault":
        return {"errors": [words] if words else []}
    if system == "cluster":
        return {
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "message": words,
            "code": status,
        }
    return {"message": words}
