"""A warm process that forks a child for each run: everything is imported once, and nothing is shared.

``python -m tests.faults.warm`` reads a line of JSON from its standard input for each run (a `Scene` and a
folder for temporary files) and writes two lines: the child's process id at once, and how it ended. The first
run it makes itself: a library does much when it is first used (half a second, against a few milliseconds of a
fork). It has one thread and no open connection, so that a fork copies nothing that is in use.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from runbook.errors import EnablementError
from sandbox.environment import CHECKOUT
from tests.faults.built_once import built_once
from tests.faults.faults import Script, kill_process
from tests.faults.run import Scene, run


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended.

    Attributes:
        signal: that ended it, 0 for none.
        result: what the run returned, empty if it did not.
        error: of the pipeline, as text; empty for none.
        bug: a traceback of anything else that was raised.
    """

    signal: int
    result: str
    error: str
    bug: str


class WarmProcess:
    """The warm process, from the outside."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        temporary.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def warm_up(self, scene: Scene, *, approved: str = "") -> Outcome:
        """Run in the warm process itself, which has then done and built what later runs need as well."""
        return self._run(scene, lambda _pid: None, fork=False, approved=approved)

    def run(self, scene: Scene, script: Script, *, approved: str = "") -> Outcome:
        """Run in a child, which ``script`` may kill."""
        return self._run(
            scene, lambda pid: script.kill_by(kill_process(lambda: pid)), fork=True, approved=approved
        )

    def _run(self, scene: Scene, known: Callable[[int], None], **how: Any) -> Outcome:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        order = {"scene": scene.as_json(), "temporary": str(self.temporary), **how}
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        known(json.loads(stdout.readline())["pid"])
        return Outcome(**json.loads(stdout.readline()))


def _run_once(order: dict[str, Any]) -> dict[str, str]:
    tempfile.tempdir = order["temporary"]
    told = {"result": "", "error": "", "bug": ""}
    try:
        told["result"] = run(Scene(**order["scene"]), approved=order["approved"])
    except EnablementError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - whatever else is raised is what the test is to see
        told["bug"] = traceback.format_exc()
    return told


def _here(order: dict[str, Any]) -> None:
    _say({"pid": os.getpid()})
    told = _run_once(order)
    gc.collect()
    gc.freeze()  # what is here stays; a child that collects it would copy its pages
    _say({"signal": 0, **told})


def _fork(order: dict[str, Any]) -> None:
    assert threading.active_count() == 1
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.write(writer, json.dumps(_run_once(order)).encode())
        os._exit(0)
    os.close(writer)
    _say({"pid": pid})
    with os.fdopen(reader) as pipe:
        told = json.loads(pipe.read() or '{"result": "", "error": "", "bug": ""}')
    _, status = os.waitpid(pid, 0)
    _say({"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **told})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with built_once():
        for line in sys.stdin:
            asked = json.loads(line)
            (_fork if asked["fork"] else _here)(asked)
