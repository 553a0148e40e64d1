"""Runs `kubectl kustomize` on a private copy of files, bounded, and with nothing of ours in reach.

What is built was written by others. The process gets an empty home, no PATH (kustomize would run git and
plugins), proxies that lead nowhere, and limits on time, memory and output. Kustomize itself refuses files
from outside the folder that it builds; the copy holds neither links nor anything but what the caller wrote.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import yaml

from runbook.documents import check_size
from runbook.errors import PrerequisiteMissing
from runbook.gitops import Built, Sources, Tree, sources_of
from runbook.gitops.built import split
from runbook.gitops.tree import kustomization_of
from systems.temporary import temporary_folder

_KUBECTL = Path(sysconfig.get_path("scripts"), "kubectl")
_NOWHERE = "http://127.0.0.1:9"

_REASON = 400
"""Characters of kustomize's reason that are shown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one build may take.

    Attributes:
        seconds: until it is ended; the largest overlay of operate-first/apps takes one.
        memory: bytes of address space; a build of 2.5 MB takes a twentieth of the default.
        output: bytes that it may write, and that all copied files may have.
    """

    seconds: float = 20.0
    memory: int = 2 << 30
    output: int = 32 << 20


class _BuildError(Exception):
    """Why a folder cannot be built, for a person."""


class _LimitError(_BuildError):
    """A limit that the build hit."""


Known = dict[tuple[str, frozenset[tuple[str, str]]], Built]
"""What was built, by folder and by the texts of all files that kustomize got for it."""

_MANY = 50
"""Folders of which a `Known` holds what was built; it is emptied then."""


class Kustomize:
    """Builds folders of a tree in a private copy; a context manager that removes the copy.

    Args:
        limits: of each build.
        known: of others, to which what is built here is added; of its own if not given.
    """

    def __init__(self, limits: Limits | None = None, known: Known | None = None) -> None:
        self._limits = limits or Limits()
        self._cleanup = temporary_folder("kustomize-")
        self._home = Path(self._cleanup.name)
        self._root = self._home / "repository"
        self._root.mkdir()
        self._known: Known = {} if known is None else known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.cleanup()

    def build(self, tree: Tree, *folders: str) -> list[Built]:
        """What becomes of each of ``folders``; one that cannot be built says why.

        Raises:
            PrerequisiteMissing: kubectl is not installed beside Python.
            Conflict: the files of the tree are too large together.
        """
        sources = {folder: sources_of(tree, folder) for folder in folders if kustomization_of(tree, folder)}
        tree.prefetch(path for one in sources.values() for path in one.files)
        copied = [self._copied(tree, folder, sources.get(folder)) for folder in folders]
        with ThreadPoolExecutor(max_workers=2) as threads:
            return list(threads.map(self._built, copied))

    def _copied(self, tree: Tree, folder: str, sources: Sources | None) -> tuple[Built, Mapping[str, str]]:
        """What is known of a folder, and the files that it is still to be built of."""
        if sources is None:
            return Built(folder, absent=True), {}
        files = {path: tree.read(path) or "" for path in sources.files} | sources.kustomizations
        for text in files.values():
            with contextlib.suppress(yaml.YAMLError):
                check_size(text)  # what is made of it is read
        if known := self._known.get((folder, frozenset(files.items()))):
            return known, {}
        empty = Built(folder, left_out=tuple(sources.left_out))
        try:
            self._write(files)
        except _BuildError as error:
            return _failed(empty, error), {}
        return empty, files

    def _built(self, copied: tuple[Built, Mapping[str, str]]) -> Built:
        built, files = copied
        if not files:
            return built
        try:
            built = replace(built, documents=split(self._run(built.folder)))
        except _BuildError as error:
            built = _failed(built, error)
        if not built.limited:  # that it took too long once says nothing of the next time
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[built.folder, frozenset(files.items())] = built
        return built

    def _write(self, files: Mapping[str, str]) -> None:
        contents = {path: text.encode("utf-8", "surrogateescape") for path, text in files.items()}
        if sum(map(len, contents.values())) > self._limits.output:
            raise _LimitError(f"its files are larger than {_megabytes(self._limits.output)}")
        for path, content in contents.items():
            file = self._root / path
            if path.startswith("/") or ".." in file.parts:
                raise _BuildError(f"{path} is outside the repository")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            except (OSError, ValueError) as error:
                raise _BuildError(f"{path} cannot be copied ({type(error).__name__})") from error

    def _run(self, folder: str) -> str:
        with tempfile.TemporaryFile(dir=self._home) as out, tempfile.TemporaryFile(dir=self._home) as err:
            try:
                process = subprocess.Popen(
                    [_KUBECTL, "kustomize", self._root / folder],
                    env=self._environment(),
                    cwd=self._root,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                )
            except OSError as error:
                raise PrerequisiteMissing(
                    "kustomize",
                    str(_KUBECTL),
                    f"cannot be run ({error.strerror})",
                    "Install the packages of requirements.lock on this worker.",
                ) from error
            try:
                self._limit(process.pid)
                status = process.wait(self._limits.seconds)
            except subprocess.TimeoutExpired:
                raise _LimitError(f"kustomize took longer than {self._limits.seconds:g} s") from None
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            err.seek(0)
            if status != 0:
                raise self._reason(err.read(1 << 16).decode("utf-8", "replace"), status)
            return out.read().decode("utf-8", "replace")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "",
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LC_ALL": "C",
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
        }

    def _reason(self, said: str, status: int) -> _BuildError:
        """Why, in kustomize's words: an error for each folder on the way, the cause last."""
        if status == -signal.SIGXFSZ or "file too large" in said:
            return _LimitError(f"kustomize printed more than {_megabytes(self._limits.output)}")
        if status < 0 or "out of memory" in said or "cannot allocate memory" in said:
            most = _megabytes(self._limits.memory)
            return _LimitError(f"kustomize took more than {most} of memory, or was killed")
        lines = [line for line in said.splitlines() if not line.startswith("# Warning")]
        text = " ".join(" ".join(lines).split()).removeprefix("error: ")
        for root in (self._root.resolve(), self._root):
            text = text.replace(f"{root}/", "").replace(f"{root}", "the top folder")
        return _BuildError(f"… {text[-_REASON:]}" if len(text) > _REASON else text)

    def _limit(self, pid: int) -> None:
        if not hasattr(resource, "prlimit"):  # a Linux call; elsewhere time alone is bounded
            return
        limits = self._limits
        for limit, most in ((resource.RLIMIT_AS, limits.memory), (resource.RLIMIT_FSIZE, limits.output)):
            try:
                resource.prlimit(pid, limit, (most, most))
            except (ProcessLookupError, PermissionError):
                return  # it has ended already


def _failed(built: Built, error: _BuildError) -> Built:
    return replace(built, failure=str(error), limited=isinstance(error, _LimitError))


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.3g} MB"
