"""What the processes of this machine show while they work, and what they leave in its file system."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.environment import CHECKOUT
from tests.lingering import LINGERING
from tests.secrets.exceptions import said
from tests.secrets.places import Place, below, new_file
from tests.secrets.search import Stream
from tests.secrets.watch import FolderWatch, ProcessWatch

COMMAND_LINES = "command lines of child processes"
ENVIRONMENTS = "environments of child processes"
TEMPORARY = "temporary files, with .git/config of clones"

_GIT_SETTING = "GIT_CONFIG_VALUE_"
_LOGIN = b"Authorization: Basic "
"""The one setting of the one kind of child that is meant to have a secret: how git logs in."""


def of_children(processes: ProcessWatch) -> Iterator[Place]:
    """Command lines and environments, without what `meant_environments` has."""

    def start(arguments: Sequence[str], variables: Sequence[str]) -> None:
        environment = {f"PLANTED_{number}": text for number, text in enumerate(variables)}
        command = [sys.executable, "-c", LINGERING, *arguments]
        with subprocess.Popen(command, env=environment) as child:
            processes.catch_up()
            child.kill()

    def environments() -> Iterator[Stream]:
        for process, variable, value in list(processes.variables):
            if not _is_meant(process, variable, value):
                yield f"{variable} of {process}", value

    yield Place(
        COMMAND_LINES,
        lambda: iter(list(processes.arguments)),
        lambda texts: start(texts, ()),
    )
    yield Place(ENVIRONMENTS, environments, lambda texts: start((), texts))


def meant_environments(processes: ProcessWatch) -> Iterator[Stream]:
    """What the search leaves out of the environments."""
    for process, variable, value in list(processes.variables):
        if _is_meant(process, variable, value):
            yield f"{variable} of {process}", value


def _is_meant(process: str, variable: str, value: bytes) -> bool:
    """Git and its own helpers, which get their settings in their environment."""
    command = process.split(maxsplit=1)[0]
    is_git = command == "git" or command.startswith("git-remote-")
    return is_git and variable.startswith(_GIT_SETTING) and value.startswith(_LOGIN)


def of_temporary_files(temporary: FolderWatch) -> Place:
    """Everything that appeared in the temporary folders; planted in the last of them."""

    def plant(texts: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory(dir=temporary.folders[-1]) as folder:
            Path(folder, "file").write_text("\n".join(texts))
            temporary.catch_up()

    return Place(TEMPORARY, lambda: temporary.streams, plant)


class WorkingDirectory:
    """The checkout in which worker and merge service run, as it was at first."""

    def __init__(self, planted: Path) -> None:
        """Args: planted: a folder that counts as a part of it, so that nothing is planted in the real one."""
        self._planted = planted
        self._before = dict(self._written())

    def place(self) -> Place:
        """Files that appeared or changed since."""
        return Place("working directory", self._changed, new_file(self._planted))

    def _changed(self) -> Iterator[Stream]:
        for path, written in self._written():
            if self._before.get(path) != written:
                with suppress(FileNotFoundError):
                    yield str(path), path.read_bytes()

    def _written(self) -> Iterator[tuple[Path, int]]:
        """Each file, and when it was written, in nanoseconds; not those of a demo that another test runs."""
        tops = (top for top in CHECKOUT.iterdir() if top.name not in {".git", ".venv", ".sandbox"})
        for path in (each for top in (*tops, self._planted) for each in (top, *below(top))):
            if path.is_file():
                with suppress(FileNotFoundError):
                    yield path, path.stat().st_mtime_ns


def of_this_process(errors: list[BaseException], console: list[str]) -> Iterator[Place]:
    """What runs in this process raised and printed."""
    yield Place(
        "exceptions: texts, tracebacks, local variables, pickles",
        lambda: (stream for error in errors for stream in said(error)),
        lambda texts: errors.append(_raised(texts)),
    )
    yield Place(
        "console of this process",
        lambda: iter([("console", "\n".join(console).encode())]),
        console.extend,
    )


def _raised(texts: Sequence[str]) -> BaseException:
    """An exception with a text in each part of it."""
    message, note, cause, context, local, attribute = texts
    try:
        try:
            try:
                raise KeyError(context)
            except KeyError:
                hidden = {"Authorization": local}
                raise ValueError(cause) from None
        except ValueError as error:
            raise RuntimeError(message) from error
    except RuntimeError as error:
        error.add_note(note)
        error.request = attribute  # type: ignore[attr-defined]
        assert hidden
        return error
