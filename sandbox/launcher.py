"""Run one command, and make sure that nothing of it outlives whoever asked for it.

``python -I launcher.py LIFELINE GRACE COMMAND...``: LIFELINE is the number of an inherited file descriptor,
the reading end of a pipe whose other end only the supervisor holds. When the supervisor dies, however
suddenly, the kernel closes that end, and the command is ended here. The same happens on SIGTERM, and when
the command itself ends: whatever it started goes with it, also what moved to a session of its own, as the
flow runs of a Prefect worker do.

A script rather than a module to import: it starts in a few milliseconds and holds little memory.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.02


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def _descendants() -> list[psutil.Process]:
    """Everything below us. Orphans are here too, because we are their reaper (Linux)."""
    return psutil.Process().children(recursive=True)


def _reap() -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _end(processes: list[psutil.Process], kill: bool) -> None:
    for process in processes:
        try:
            process.kill() if kill else process.terminate()
        except psutil.NoSuchProcess:
            continue


def _sweep(grace: float) -> None:
    """End what the command left behind: asked at first, then by force."""
    waited = 0.0
    _end(_descendants(), kill=False)
    while (left := _descendants()) and waited < grace + 1.0:
        if waited >= grace:
            _end(left, kill=True)
        select.select([], [], [], _POLL_SECONDS)
        waited += _POLL_SECONDS
        _reap()


def main(arguments: list[str]) -> int:
    """Returns the command's exit status, 128 + N when signal N ended it, as a shell does."""
    lifeline, grace, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wakeup_reader, wakeup_writer = os.pipe()
    os.set_blocking(wakeup_writer, False)
    signal.set_wakeup_fd(wakeup_writer)
    asked_to_end = False

    def ask_to_end(_number: int, _frame: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask_to_end)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def before_exec() -> None:
        # The last resort: if we are killed, the kernel tells the command.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    # preexec_fn is safe here: this process has one thread.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=before_exec)  # noqa: PLW1509
    while child.poll() is None and not asked_to_end:
        readable, _, _ = select.select([lifeline, wakeup_reader], [], [])
        if wakeup_reader in readable:
            os.read(wakeup_reader, 4096)
        if lifeline in readable:
            asked_to_end = True
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
    status = child.wait()
    _sweep(min(grace, 2.0))
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
