"""Child processes: started, waited for, watched, and ended together.

    with Supervisor(logs) as supervisor:
        supervisor.start("vault", ["bao", "server"], environment=..., ready=http_answers(url))
        ...

Leaving the block ends every child, whatever the reason: the end of the work, an error, Ctrl-C, or SIGTERM
(see `ending_on_signals`). If this process is killed outright, each child's launcher notices and ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

import psutil
import requests

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.02
_TAIL_LINES = 20


class SandboxError(Exception):
    """Something in the sandbox did not start, or ended too early. The message is for people."""


@dataclass(slots=True)
class Child:
    """A started process. ``pid`` is its launcher's, the parent of the command itself."""

    name: str
    log: Path
    pid: int
    grace: float
    process: subprocess.Popen[bytes]
    lifeline: int

    @property
    def exit_status(self) -> int | None:
        """None while it runs, else its exit status (128 + N after signal N)."""
        return self.process.poll()

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def tree(self) -> list[psutil.Process]:
        """The launcher and every process below it that runs now."""
        try:
            launcher = psutil.Process(self.pid)
            return [launcher, *launcher.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Started(ABC):
    """Runs within a ``with`` block: what cannot be started whole is stopped again."""

    @abstractmethod
    def start(self) -> None:
        """Start it; returns once it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End whatever of it runs."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Supervisor:
    """Starts children and ends all of them when the ``with`` block is left."""

    def __init__(self, logs: Path) -> None:
        """Args: logs: directory for one log file a child; it is made (0700)."""
        self.logs = logs
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path | None = None,
        ready: Callable[[], bool] | None = None,
        within: float = 30.0,
        grace: float = 5.0,
    ) -> Child:
        """Start a command; its output goes to ``<logs>/<name>.log``.

        Args:
            name: for messages and the log file.
            command: the argument list; no shell is involved.
            environment: the whole environment, see `environment.clean_environment`.
            directory: working directory; by default the log directory.
            ready: returns True once the child can be used; without it the child is not waited for.
            within: seconds until ``ready`` must have become True.
            grace: seconds between SIGTERM and SIGKILL at the end.

        Raises:
            SandboxError: it ended or did not become ready, with the tail of its log.
        """
        if name in self._children:
            msg = f"a child named {name!r} is running already"
            raise SandboxError(msg)
        log = self.logs / f"{name}.log"
        reader, writer = os.pipe()
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", str(_LAUNCHER), str(reader), str(grace), *command],
                env=dict(environment),
                cwd=directory or self.logs,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(reader,),
                start_new_session=True,  # a Ctrl-C in the terminal reaches us only, and we end them in order
            )
        os.close(reader)
        child = Child(name, log, process.pid, grace, process, writer)
        self._children[name] = child
        if ready is not None:
            self.wait_until(ready, within, f"{name} to be ready", child)
        return child

    def wait_until(
        self, condition: Callable[[], bool], within: float, what: str, child: Child | None = None
    ) -> None:
        """Wait for a condition, and fail at once if a child ends meanwhile.

        Raises:
            SandboxError: after ``within`` seconds, or because a child ended.
        """
        deadline = time.monotonic() + within
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                tail = f"\n--- {child.log}\n{child.tail()}" if child else ""
                msg = f"waited {within:.0f} s in vain for {what}{tail}"
                raise SandboxError(msg)
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise `SandboxError` if a child has ended by itself, with the tail of its log."""
        for child in self._children.values():
            status = child.exit_status
            if status is not None:
                msg = f"{child.name} ended with status {status}\n--- {child.log}\n{child.tail()}"
                raise SandboxError(msg)

    def stop(self, name: str) -> None:
        """End one child: SIGTERM, and SIGKILL after its grace."""
        self._end([self._children.pop(name)])

    def kill(self, name: str) -> None:
        """End one child and all below it with SIGKILL, as a crash of the machine would."""
        child = self._children.pop(name)
        for process in child.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._end([child])

    def stop_all(self) -> None:
        """End all children, the last started first. A second Ctrl-C does not interrupt this."""
        with signals_held_back():
            for child in reversed(list(self._children.values())):
                self._end([child])
            self._children.clear()

    @staticmethod
    def _end(children: list[Child]) -> None:
        for child in children:
            if child.exit_status is None:
                child.process.terminate()
            try:
                # The launcher gives the command its grace, then sweeps up for at most three seconds more.
                child.process.wait(child.grace + 4.0)
            except subprocess.TimeoutExpired:
                for process in child.tree():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                child.process.wait()
            os.close(child.lifeline)


@contextlib.contextmanager
def signals_held_back() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM in the block, here and in what is started in it: for cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in held]
    try:
        yield
    finally:
        for number, handler in zip(held, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that ``with`` blocks clean up.

    Raises:
        SystemExit: in the block, with status 128 + the signal's number.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    handled = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, leave) for number in handled]
    try:
        yield
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def http_answers(
    url: str, ca_file: Path | None = None, *, statuses: range = range(200, 400)
) -> Callable[[], bool]:
    """A condition: a GET of ``url`` is answered with one of ``statuses``."""
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc

    def condition() -> bool:
        try:
            answer = session.get(url, timeout=2.0, verify=str(ca_file) if ca_file else True)
        except requests.RequestException:
            return False
        return answer.status_code in statuses

    return condition


def output_of(command: Sequence[str], environment: Mapping[str, str], directory: Path, within: float) -> str:
    """What a command prints that ends by itself; raises `SandboxError`, with its errors, when it fails."""
    result = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    if result.returncode != 0:
        told = " ".join([Path(command[0]).name, *command[1:]])
        msg = f"{told} ended with status {result.returncode}\n{result.stdout}{result.stderr}"
        raise SandboxError(msg)
    return result.stdout


def file_exists(path: Path) -> Callable[[], bool]:
    """A condition: the file is there. See `write_ready`."""
    return path.exists


def write_ready(path: Path, content: Any) -> None:
    """Write JSON that appears complete or not at all, such as the file that says that we are ready."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(path)
