"""Where a secret could come to light. Each place can be read, and something can be planted in it.

A `Plant` leaves texts in a place the way the pipeline would leave them there by mistake.
"""

from __future__ import annotations

import base64
import os
import secrets
import sqlite3
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from prefect.serializers import CompressedSerializer, JSONSerializer, PickleSerializer

from tests.secrets.needles import Secret
from tests.secrets.search import Searcher, Stream

Read = Callable[[], Iterator[Stream]]
Plant = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """One place. ``plant`` may use the installation; what it leaves is no real secret and may stay."""

    name: str
    read: Read = field(repr=False)
    plant: Plant = field(repr=False)

    def prove(self) -> None:
        """See that a secret is found here: plain, as base64 however it is aligned, and in pickled results.

        Raises:
            AssertionError: it is not, and then "nothing found here" means nothing.
        """
        planted = {shape: f"planted{secrets.token_hex(14)}" for shape in _SHAPES}
        self.plant([_SHAPES[shape](value) for shape, value in planted.items()])
        searcher = Searcher(Secret.token(shape, value) for shape, value in planted.items())
        found = {finding.secret for finding in searcher.find(self.name, self.read())}
        assert found == planted.keys(), f"not found in {self.name}: {sorted(planted.keys() - found)}"


def _base64(before: bytes, value: str) -> str:
    return base64.urlsafe_b64encode(before + value.encode()).decode()


_SHAPES: dict[str, Callable[[str], str]] = {
    "plain": lambda value: f"x-{value}",
    "base64": lambda value: _base64(b"", value),
    "base64 after 1 byte": lambda value: _base64(b"\xff", value),
    "base64 after 2 bytes": lambda value: _base64(b"\xff\xfb", value),
    "in a pickled result": lambda value: (
        PickleSerializer().dumps({"token": value}).decode().replace("\n", "")
    ),
    "in a compressed result": lambda value: (
        CompressedSerializer(serializer=JSONSerializer()).dumps({"token": value}).decode().replace("\n", "")
    ),
}


def below(top: Path) -> Iterator[Path]:
    """Everything below a folder in which others make and remove folders, less what is gone meanwhile."""
    for folder, folders, names in os.walk(top):
        yield from (Path(folder, name) for name in (*folders, *names))


def files(*tops: Path, meant: Collection[Path] = ()) -> Iterator[Stream]:
    """Every file below ``tops`` but those that are meant to hold a secret: names as well as contents."""
    for top in tops:
        for path in sorted([top, *below(top)]):
            yield f"name of {path}", str(path).encode()
            if path.is_file() and not path.is_symlink() and path not in meant:
                try:
                    yield str(path), path.read_bytes()
                except FileNotFoundError:
                    continue  # SQLite's and Git's own temporary files come and go


def new_file(folder: Path) -> Plant:
    """Plants a file of its own in a folder."""

    def plant(texts: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"planted-{secrets.token_hex(4)}").write_text("\n".join(texts))

    return plant


def rows(database: Path) -> Iterator[Stream]:
    """Every column of every table of an SQLite database, a stream each.

    Values of a column are joined, each with a line end behind it.
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        connection.text_factory = bytes
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            name = table.decode()
            cursor = connection.execute(f'select * from "{name}"')  # noqa: S608 - a name from the schema
            columns = [str(column[0]) for column in cursor.description]
            values: list[list[bytes]] = [[] for _ in columns]
            for row in cursor:
                for at, value in enumerate(row):
                    values[at].append(value if isinstance(value, bytes) else str(value).encode())
            for column, content in zip(columns, values, strict=True):
                yield f"{name}.{column}", b"\n".join(content)


def objects(repository: Path) -> Iterator[Stream]:
    """All objects of a bare Git repository, unreachable ones too, decompressed; and all refs and config."""
    listed = _git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    for line in listed.decode().splitlines():
        name, kind = line.split()
        if kind == "tree":
            yield f"{kind} {name}", _git(repository, "cat-file", "-p", name)
    content = _git(repository, "cat-file", "--batch-all-objects", "--batch", "--unordered")
    yield "all objects", content
    yield "refs", _git(repository, "for-each-ref")
    yield "config", (repository / "config").read_bytes()


def committed(repository: Path) -> Plant:
    """Plants a commit that nothing refers to, with the texts in its message and in its file."""

    def plant(texts: Sequence[str]) -> None:
        text = "\n".join(texts)
        blob = _git(repository, "hash-object", "-w", "--stdin", stdin=text.encode()).decode().strip()
        tree = _git(repository, "mktree", stdin=f"100644 blob {blob}\tfile\n".encode()).decode().strip()
        identity = ("-c", "user.name=planted", "-c", "user.email=planted@example.com")
        _git(repository, *identity, "commit-tree", tree, stdin=text.encode())

    return plant


def grow_branch(repository: Path, name: str) -> None:
    """A branch with one empty commit on the default branch, as a pull request needs it."""
    identity = ("-c", "user.name=planted", "-c", "user.email=planted@example.com")
    made = _git(repository, *identity, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "Planted")
    _git(repository, "update-ref", f"refs/heads/{name}", made.decode().strip())


def head_of(repository: Path, branch: str) -> str:
    """The commit at the head of a branch."""
    return _git(repository, "rev-parse", f"refs/heads/{branch}").decode().strip()


def set_head(repository: Path, branch: str, commit: str | None) -> None:
    """Put a branch where it should be; None takes it away."""
    if commit is None:
        _git(repository, "update-ref", "-d", f"refs/heads/{branch}")
    else:
        _git(repository, "update-ref", f"refs/heads/{branch}", commit)


def _git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", *arguments],
        env={"GIT_DIR": str(repository), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
        input=stdin,
        capture_output=True,
        check=True,
    )
    return done.stdout
