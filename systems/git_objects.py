"""Commits of the clone: fetched and written with git, read with GitPython, never checked out.

Folders are kept once they are read: GitPython's own way to a file reads each folder above it again.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeGuard

import git

from runbook.documents import MAX_CHARACTERS, named
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops import FileEdit, check_way
from runbook.gitops.tree import PATH_MAX
from runbook.kustomization import FILE_NAMES
from systems.git_command import GitCommand, Remote
from systems.git_refusals import GitError

Entry = git.Tree | git.Blob | git.Submodule

_AT_ONCE = 5_000
"""Files that are fetched without asking which of them are needed; operate-first/apps has 3,000."""

_SINGLE = 10
"""Folders of a larger one that are fetched one by one: each is a request."""

_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
"""How `git fast-import` wants a path."""


class Objects:
    """The objects of a clone: which are there, and how others get there.

    Attributes:
        remote: where the clone is from.
        repository: as GitPython reads it. Commits must have been fetched.
        base: the head of the branch ``base_branch`` when it was cloned.
    """

    def __init__(self, command: GitCommand, remote: Remote, base_branch: str) -> None:
        self.command = command
        self.remote = remote
        self.repository = git.Repo(command.folder)
        # GitPython's children work on this disk only. Otherwise git would fetch a missing object by itself,
        # one by one, and with the credentials of whoever started us.
        self.repository.git.update_environment(**command.environment())
        self.base_branch = base_branch
        try:
            self.base = self.repository.commit(f"refs/heads/{base_branch}")
        except git.BadName:
            # `clone --branch` takes tags, too.
            raise PrerequisiteMissing(
                "Git",
                f"{base_branch} of {remote.url}",
                "is not a branch",
                "Set base_branch of the GitOpsRepository to a branch.",
            ) from None
        self._deeper = ["--deepen=100", "--deepen=1000", "--depth=2147483647"]

    def fetch(self, remote: Remote, what: Iterable[str], *options: str, negotiate: bool = True) -> None:
        """Fetch refs, commits or other objects, with ``options`` that say how much of them.

        Args:
            negotiate: whether the server is told what we have. As git itself fetches what a partial clone
                lacks, it is not: the base commit would tell the server that we have its files as well.
        """
        algorithm = "default" if negotiate else "noop"
        self.command.talk(
            remote,
            remote.url,
            *("-c", f"fetch.negotiationAlgorithm={algorithm}", "fetch", "--quiet", "--no-tags"),
            *("--no-write-fetch-head", "--stdin", *options, "--", remote.url),
            stdin="\n".join(what).encode(),
        )

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether ``commit`` is ``of`` or before it, as far as the history is here."""
        try:
            self.command.run("merge-base", "--is-ancestor", commit, of)
        except GitError:
            return False
        return True

    def is_on_base(self, commit: str) -> bool:
        """Whether ``commit`` is the head of the base branch or one of those before it."""
        while not self.is_ancestor(commit, self.base.hexsha):
            if not self._deeper:
                return False
            branch, further = f"refs/heads/{self.base_branch}", self._deeper.pop(0)
            self.fetch(self.remote, [branch], further, "--filter=tree:0")
        return True

    def changed(self, parent: git.Commit, commit: git.Commit) -> dict[str, str]:
        """Path and new object of every entry that differs between two commits; zeros for one that is gone."""
        listed = self.command.run("diff-tree", "-r", "-z", "--no-renames", parent.hexsha, commit.hexsha)
        changes = iter(listed.split("\0"))
        return {path: change.split()[3] for change, path in zip(changes, changes, strict=False)}

    def write(self, tree: CommitTree, edits: Iterable[FileEdit], message: str, who: str) -> git.Commit:
        """Write a commit of ``edits``, made from ``tree``, on top of the base branch.

        Args:
            who: its author, as git writes one: ``"name <e-mail>"``.

        Raises:
            Conflict: a link, a submodule or a folder is where a file is to be, or no folder where one is.
        """
        stream = [
            "commit refs/proposed\nmark :1\n",
            f"author {who} now\ncommitter {who} now\n",
            f"{_data(message)}from {self.base.hexsha}\n",
        ]
        for edit in edits:
            check_way(tree, edit.path)
            there = tree.file(edit.path)
            mode = "755" if there is not None and there.mode & 0o100 else "644"
            stream.append(f'M {mode} inline "{edit.path.translate(_QUOTED)}"\n{_data(edit.after)}')
        made = self.command.run(
            *("fast-import", "--quiet", "--force", "--date-format=now"),
            stdin="".join([*stream, "get-mark :1\n"]).encode("utf-8", "surrogateescape"),
        )
        return self.repository.commit(made.strip())


def _data(text: str) -> str:
    """``text`` as `git fast-import` takes it."""
    return f"data {len(text.encode('utf-8', 'surrogateescape'))}\n{text}\n"


class CommitTree:
    """A commit's files, as `runbook.gitops.Tree`.

    Contents are fetched when the first file of a top folder is read: all YAML files below it in one request.
    Of the real repositories of this kind that is a megabyte; file by file it would be a request for each. Of
    one that is much larger the kustomizations come first: they tell which files a run needs. A file that is
    read all the same comes with those beside it, until there are so many of these that all come.
    """

    def __init__(self, objects: Objects, commit: git.Commit, remote: Remote) -> None:
        self._objects = objects
        self._remote = remote
        self._fetched: set[str] = set()
        self.is_partial = False
        """Whether only a part of what was to be fetched at once is here."""
        self._single = 0
        self._folders: dict[str, Mapping[str, Entry]] = {"": _entries(commit.tree)}
        self._texts: dict[str, str] = {}

    def read(self, path: str) -> str | None:
        found = self.file(path)
        if found is None:
            return None
        if found.hexsha not in self._texts:
            self._texts[found.hexsha] = self._content(path, found)
        return named(path, self._texts[found.hexsha])

    def has(self, path: str) -> bool:
        return self.file(path) is not None

    def entries(self, path: str) -> tuple[str, ...]:
        listed = self._folder(path).items()
        return tuple(sorted(name + "/" * isinstance(entry, git.Tree) for name, entry in listed))

    def prefetch(self, paths: Iterable[str]) -> None:
        self._fetch(found for found in map(self.file, paths) if found is not None)

    def fetch(self, folders: Iterable[str]) -> None:
        """Fetch the contents of all kustomizations and manifests below ``folders`` in one request."""
        self._fetch(blob for _, blob in self._manifests(folders))

    def begin(self, folders: Iterable[str]) -> None:
        """The same, unless that is too much at once: then the kustomizations, and the others when read."""
        manifests = list(self._manifests(folders))
        self.is_partial = len(manifests) > _AT_ONCE
        self._fetch(blob for name, blob in manifests if not self.is_partial or name in FILE_NAMES)

    def file(self, path: str) -> git.Blob | None:
        """The regular file at ``path``; None if there is none, but perhaps a link or a submodule."""
        folder, _, name = path.rpartition("/")
        found = self._folder(folder).get(name)
        return found if found is not None and _is_file(found) else None

    def _folder(self, path: str) -> Mapping[str, Entry]:
        """Entries of a folder by name; none if there is no such folder."""
        if len(path) > PATH_MAX:
            return {}
        above, names = path, []
        while above not in self._folders:
            above, _, name = above.rpartition("/")
            names.append(name)
        for name in reversed(names):
            entry = self._folders[above].get(name)
            if not isinstance(entry, git.Tree):
                return {}
            above = f"{above}/{name}" if above else name
            self._folders[above] = _entries(entry)
        return self._folders[above]

    def _manifests(self, folders: Iterable[str]) -> Iterator[tuple[str, git.Blob]]:
        waiting, seen = list(folders), set()
        while waiting:
            path = waiting.pop()
            yield from self._manifests_in(path)
            for name, entry in self._folder(path).items():
                # A folder that is there many times has the same files; nested, it is there without end.
                if isinstance(entry, git.Tree) and len(path) < PATH_MAX and entry.hexsha not in seen:
                    seen.add(entry.hexsha)
                    waiting.append(f"{path}/{name}" if path else name)

    def _manifests_in(self, folder: str) -> Iterator[tuple[str, git.Blob]]:
        for name, entry in self._folder(folder).items():
            if _is_file(entry) and (name.endswith((".yaml", ".yml")) or name == "Kustomization"):
                yield name, entry

    def _content(self, path: str, blob: git.Blob) -> str:
        if blob.hexsha not in self._fetched:
            folder, _, _ = path.rpartition("/")
            # Of the top everything is below.
            if not folder or (self.is_partial and self._single < _SINGLE):
                self._single += 1
                self._fetch(entry for _, entry in self._manifests_in(folder))
            else:
                self.fetch([folder.partition("/")[0]])
        self._fetch([blob])
        if blob.size > MAX_CHARACTERS:
            # Gigabytes do not come into memory only to be refused.
            return " " * (MAX_CHARACTERS + 1)
        content: bytes = blob.data_stream.read()
        # What is not UTF-8 goes back as it came, if it is written at all.
        return content.decode("utf-8", "surrogateescape")

    def _fetch(self, blobs: Iterable[git.Blob]) -> None:
        missing = {blob.hexsha for blob in blobs} - self._fetched
        if missing:
            self._objects.fetch(self._remote, sorted(missing), "--filter=blob:none", negotiate=False)
            self._fetched |= missing


def _entries(tree: git.Tree) -> Mapping[str, Entry]:
    """
    Raises:
        Conflict: an entry has a name or a mode that Git itself does not make, and GitPython refuses.
    """
    folder = str(tree.path)
    try:
        # No `basename`: somebody's entry may have a slash in its name.
        return {str(entry.path).removeprefix(f"{folder}/"): entry for entry in tree}
    except ValueError as error:
        raise Conflict(
            "Git",
            folder or "the top folder",
            f"has an entry that cannot be read: {error}",
            "Remove the entry; `git fsck` names it.",
        ) from None


def _is_file(entry: Entry) -> TypeGuard[git.Blob]:
    """Whether it is a regular file: no link, no folder, no submodule."""
    return isinstance(entry, git.Blob) and stat.S_ISREG(entry.mode)
