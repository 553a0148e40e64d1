"""What the processes of this machine show while they work, and what they leave in its file system."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deployments.sandbox.environment import CHECKOUT
from tests.lingering import LINGERING
from tests.secrets.exceptions import said
from tests.secrets.places import Place, new_file
from tests.secrets.search import Stream
from tests.secrets.watch import FolderWatch, ProcessWatch

GIT_TOKEN = "GITOPS_TOKEN"
"""The one variable of the one kind of child that is meant to have a secret: git hands it to askpass."""


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
            if not _is_meant(process, variable):
                yield f"{variable} of {process}", value

    yield Place(
        "command lines of child processes",
        lambda: iter(list(processes.arguments)),
        lambda texts: start(texts, ()),
    )
    yield Place("environments of child processes", environments, lambda texts: start((), texts))


def meant_environments(processes: ProcessWatch) -> Iterator[Stream]:
    """What the search leaves out of the environments."""
    for process, variable, value in list(processes.variables):
        if _is_meant(process, variable):
            yield f"{variable} of {process}", value


def _is_meant(process: str, variable: str) -> bool:
    """Git, its own helpers, and the script that answers its questions."""
    command = process.split(maxsplit=1)[0]
    is_git = command == "git" or command.startswith("git-remote-") or "askpass.sh" in process
    return variable == GIT_TOKEN and is_git


def of_temporary_files(temporary: FolderWatch) -> Iterator[Place]:
    """Everything that appeared in the temporary folders; planted in the last of them."""

    def plant(name: str, texts: Sequence[str]) -> None:
        folder = Path(tempfile.mkdtemp(dir=temporary.folders[-1]))
        (folder / name).write_text("\n".join(texts))
        temporary.catch_up()
        (folder / name).unlink()
        folder.rmdir()

    def configurations() -> Iterator[Stream]:
        return ((where, text) for where, text in temporary.streams if Path(where).name == "config")

    def others() -> Iterator[Stream]:
        return ((where, text) for where, text in temporary.streams if Path(where).name != "config")

    yield Place(".git/config of clones", configurations, lambda texts: plant("config", texts))
    yield Place("temporary files", others, lambda texts: plant("file", texts))


class WorkingDirectory:
    """The checkout in which worker and merge service run, as it was at first."""

    def __init__(self, planted: Path) -> None:
        """Args: planted: a folder that counts as a part of it, so that nothing is planted in the real one."""
        self._planted = planted
        self._before = {path: path.stat().st_mtime_ns for path in self._files()}

    def place(self) -> Place:
        """Files that appeared or changed since."""
        return Place("working directory", self._changed, new_file(self._planted))

    def _changed(self) -> Iterator[Stream]:
        for path in self._files():
            if self._before.get(path) != path.stat().st_mtime_ns:
                yield str(path), path.read_bytes()

    def _files(self) -> Iterator[Path]:
        for top in CHECKOUT.iterdir():
            if top.name not in {".git", ".venv"}:
                yield from (path for path in [top, *top.rglob("*")] if path.is_file())
        yield from (path for path in self._planted.rglob("*") if path.is_file())


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
    """An exception with the texts in its message, its hidden context and a local variable of it."""
    message, hidden, *local = texts
    try:
        try:
            credentials = {"tokens": local}
            raise ValueError(hidden)
        except ValueError:
            assert credentials
            raise RuntimeError(message) from None
    except RuntimeError as error:
        return error
