"""What is there for a moment only: processes and temporary files, looked at again and again during a run."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.secrets.search import Stream

_PAUSE = 0.004
"""Seconds between two looks. The shortest git command of a run lives several times as long."""


class Watch(ABC):
    """A thread that looks as often as it can without being in the way."""

    def __init__(self) -> None:
        self.looks = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            self._check()

    def catch_up(self) -> None:
        """Return once everything that is there now was looked at."""
        # The look that is under way may have begun before.
        wanted = self.looks + 2
        deadline = time.monotonic() + 60
        while self.looks < wanted:
            self._check()
            assert time.monotonic() < deadline
            time.sleep(_PAUSE)

    def _check(self) -> None:
        if self._error is not None:
            raise AssertionError(f"{type(self).__name__} does not look any more") from self._error

    def _run(self) -> None:
        try:
            while True:
                ended = self._ended.wait(_PAUSE)
                self.look()
                self.looks += 1
                if ended:
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits for this thread must know
            self._error = error

    @abstractmethod
    def look(self) -> None:
        """Look once."""


@dataclass(slots=True)
class _Process:
    parent: int
    ours: bool
    command: bytes = b""


class ProcessWatch(Watch):
    """Command lines and environments of all processes below some, as every user of the machine may see them.

    Attributes:
        arguments, variables: what was seen, by a name for people: the command, and the argument's number or
            the variable's name.
    """

    def __init__(self, *roots: int) -> None:
        super().__init__()
        self.arguments: dict[tuple[str, bytes], None] = {}
        self.variables: dict[tuple[str, str, bytes], None] = {}
        self._known = {root: _Process(0, ours=True) for root in roots}

    def look(self) -> None:
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - each 4 ms
        for gone in self._known.keys() - pids:
            del self._known[gone]
        for pid in sorted(pids):
            process = self._known.get(pid) or self._meet(pid)
            if process is not None and process.ours:
                self._read(pid, process)

    def _meet(self, pid: int) -> _Process | None:
        try:
            # "pid (any name) state parent ..."
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return None
        above = self._known.get(parent)
        self._known[pid] = process = _Process(parent, ours=above is not None and above.ours)
        return process

    def _read(self, pid: int, process: _Process) -> None:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if not command or command == process.command:
                return
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if Path(f"/proc/{pid}/cmdline").read_bytes() != command:
                return  # it became another program in between: the environment is that one's
        except OSError:
            return
        process.command = command
        arguments = command.rstrip(b"\0").split(b"\0")
        name = " ".join(Path(os.fsdecode(part)).name for part in arguments[:2])
        for number, argument in enumerate(arguments):
            self.arguments[f"{name}, argument {number}", argument] = None
        for variable in environment.split(b"\0"):
            key, _, value = variable.partition(b"=")
            self.variables[name, os.fsdecode(key), value] = None


class FolderWatch(Watch):
    """Every file that appears in some folders, with all contents that it was seen with."""

    def __init__(self, *folders: Path) -> None:
        super().__init__()
        self.folders = folders
        self._states: dict[tuple[str, int, int, int], None] = {}
        self._seen: dict[Stream, None] = {}

    @property
    def streams(self) -> Iterator[Stream]:
        """What was seen so far."""
        return iter(list(self._seen))

    def look(self) -> None:
        for folder in self.folders:
            self._look_into(folder)

    def _look_into(self, folder: Path) -> None:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return  # gone meanwhile
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    self._look_into(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    self._read(entry)
            except OSError:
                continue

    def _read(self, entry: os.DirEntry[str]) -> None:
        now = entry.stat(follow_symlinks=False)
        state = (entry.path, now.st_ino, now.st_mtime_ns, now.st_size)
        if state not in self._states:
            content = Path(entry.path).read_bytes()
            self._states[state] = None
            self._seen[entry.path, content] = None
