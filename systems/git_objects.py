"""Commits of the clone: fetched with git, read and written with GitPython, never checked out."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import git
from git.objects.fun import tree_to_stream
from gitdb.base import IStream  # type: ignore[import-untyped]

from runbook.gitops import FileEdit
from systems.git_command import GitCommand, GitError, Remote, as_error

_FILE_MODES = (git.Blob.file_mode, git.Blob.executable_mode)

_LOCAL = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ASKPASS": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
"""GitPython's children work on this disk only. Otherwise git would fetch a missing object by itself, one by
one, and with the credentials of whoever started us."""

FetchBlobs = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Identity:
    """Author and committer of our commits."""

    name: str
    email: str


class Objects:
    """The object database of the clone in ``folder``."""

    def __init__(self, folder: Path, command: GitCommand) -> None:
        self._folder = folder
        self._command = command
        self._repository = git.Repo(folder)
        self._repository.git.update_environment(**_LOCAL)

    def close(self) -> None:
        """End the git processes that GitPython keeps."""
        self._repository.close()

    def fetch(self, remote: Remote, what: str, *options: str) -> None:
        """Fetch ``what``, a ref or a commit, with ``options`` that say how much of it."""
        self._fetch(remote, (*options, remote.name, what))

    def fetch_objects(self, remote: Remote, objects: Sequence[str]) -> None:
        """Fetch contents of files, or folders with those below them, in one request."""
        # Without negotiation, as git itself fetches what a partial clone lacks: the base commit that we have
        # would tell the server that we have its files as well.
        options = ("--filter=blob:none", "--stdin", remote.name)
        self._fetch(
            remote, options, ("-c", "fetch.negotiationAlgorithm=noop"), stdin="\n".join(objects).encode()
        )

    def _fetch(
        self, remote: Remote, options: Sequence[str], settings: Sequence[str] = (), stdin: bytes = b""
    ) -> None:
        command = (*settings, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *options)
        try:
            self._command.run(*command, folder=self._folder, remote=remote, stdin=stdin)
        except GitError as error:
            raise as_error(error, remote.url) from error

    def missing(self, since: str, until: str) -> list[str]:
        """Folders and files of the commits after ``since`` up to ``until`` that are not here."""
        listed = self._command.run(
            *("rev-list", "--objects", "--missing=print", f"^{since}", until), folder=self._folder
        )
        return [line[1:] for line in listed.splitlines() if line.startswith("?")]

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether ``commit`` is ``of`` or before it, as far as the history is here."""
        try:
            self._command.run("merge-base", "--is-ancestor", commit, of, folder=self._folder)
        except GitError:
            return False
        return True

    def commit(self, sha: str) -> git.Commit:
        """The commit ``sha``, which must have been fetched."""
        return self._repository.commit(sha)

    def changed(self, parent: git.Commit, commit: git.Commit) -> Mapping[str, str | None]:
        """Path and new blob of every file that differs between two commits; None for one that is gone."""
        differences = parent.diff(commit, no_renames=True)
        return {
            str(item.b_path or item.a_path): item.b_blob.hexsha if item.b_blob else None
            for item in differences
        }

    def write(self, base: git.Commit, edits: Iterable[FileEdit], message: str, who: Identity) -> git.Commit:
        """Write a commit on top of ``base``. Nothing refers to it yet."""
        files = {edit.path: edit.after.encode("utf-8", "surrogateescape") for edit in edits}
        tree = git.Tree(self._repository, self._write_folder(base.tree, files), git.Tree.tree_id << 12, "")
        actor = git.Actor(who.name, who.email)
        return git.Commit.create_from_tree(
            self._repository, tree, message, parent_commits=[base], author=actor, committer=actor
        )

    def _write_folder(self, there: git.Tree | None, files: Mapping[str, bytes]) -> bytes:
        """Write a folder as it is ``there``, with ``files`` (paths in it) put in; its binary hash."""
        known: dict[str, git.objects.base.IndexObject] = {item.name: item for item in there or ()}
        entries = {name: (item.mode, item.binsha) for name, item in known.items()}
        below: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = content
            else:
                item = known.get(name)
                mode = item.mode if isinstance(item, git.Blob) else git.Blob.file_mode
                entries[name] = (mode, self._store(git.Blob.type, content))
        for name, inner in below.items():
            item = known.get(name)
            folder = item if isinstance(item, git.Tree) else None
            entries[name] = (git.Tree.tree_id << 12, self._write_folder(folder, inner))
        # Git sorts a folder as if its name ended with a slash.
        ordered = sorted(
            entries.items(),
            key=lambda entry: (entry[0] + "/" * (entry[1][0] >> 12 == git.Tree.tree_id)).encode(),
        )
        stream = io.BytesIO()
        tree_to_stream([(sha, mode, name) for name, (mode, sha) in ordered], stream.write)
        return self._store(git.Tree.type, stream.getvalue())

    def _store(self, kind: str, content: bytes) -> bytes:
        stored = self._repository.odb.store(IStream(kind.encode(), len(content), io.BytesIO(content)))
        return bytes(stored.binsha)


class CommitTree:
    """A commit's files, as `runbook.gitops.Tree`.

    Contents are fetched when the first file of a top folder is read: all YAML files below it in one request.
    Of the real repositories of this kind that is a megabyte; file by file it would be a request for each.
    """

    def __init__(self, commit: git.Commit, fetch: FetchBlobs) -> None:
        self._fetch = fetch
        self._fetched: set[str] = set()
        self._folders: dict[str, Mapping[str, git.objects.base.IndexObject]] = {"": _items(commit.tree)}
        self._texts: dict[str, str] = {}

    def read(self, path: str) -> str | None:
        folder, _, name = path.rpartition("/")
        found = self._folder(folder).get(name)
        if not isinstance(found, git.Blob) or found.mode not in _FILE_MODES:
            return None
        if found.hexsha not in self._texts:
            self._texts[found.hexsha] = self._content(path, found)
        return self._texts[found.hexsha]

    def entries(self, path: str) -> tuple[str, ...]:
        items = self._folder(path)
        return tuple(sorted(name + "/" * isinstance(item, git.Tree) for name, item in items.items()))

    def fetch(self, folders: Iterable[str]) -> None:
        """Fetch the contents of all kustomizations and manifests below ``folders`` in one request."""
        self._fetch_blobs(set(itertools.chain.from_iterable(map(self._manifests, folders))))

    def _manifests(self, folder: str) -> Iterator[str]:
        for name, item in self._folder(folder).items():
            if isinstance(item, git.Tree):
                yield from self._manifests(f"{folder}/{name}" if folder else name)
            elif item.mode in _FILE_MODES and (name.endswith((".yaml", ".yml")) or name == "Kustomization"):
                yield item.hexsha

    def _folder(self, path: str) -> Mapping[str, git.objects.base.IndexObject]:
        if path not in self._folders:
            parent, _, name = path.rpartition("/")
            item = self._folder(parent).get(name)
            self._folders[path] = _items(item) if isinstance(item, git.Tree) else {}
        return self._folders[path]

    def _content(self, path: str, blob: git.Blob) -> str:
        if blob.hexsha not in self._fetched:
            self.fetch([path.split("/", maxsplit=1)[0]])
        if blob.hexsha not in self._fetched:
            self._fetch_blobs({blob.hexsha})
        content: bytes = blob.data_stream.read()
        # What is not UTF-8 goes back as it came, if it is written at all.
        return content.decode("utf-8", "surrogateescape")

    def _fetch_blobs(self, blobs: set[str]) -> None:
        missing = blobs - self._fetched
        if missing:
            self._fetch(sorted(missing))
            self._fetched |= missing


def _items(tree: git.Tree) -> Mapping[str, git.objects.base.IndexObject]:
    return {item.name: item for item in tree}
