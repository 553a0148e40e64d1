"""The branch on the server that holds, or is to hold, our change, and whose the commits on it are.

A branch that only we wrote to may be rebuilt; one that a person pushed to may not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import git

from runbook.errors import OthersCommits
from runbook.gitops import FileEdit, Tree
from systems.git_command import Remote
from systems.git_objects import CommitTree, Objects

TRAILER = "Enablement-Change"
"""Trailer of our commits, with the branch as its value. With our committer address it makes a commit ours."""

_LOOK_BACK = 50
"""How many commits of a branch are read to find ours below those of other people."""

Remaining = Callable[[Tree], Sequence[FileEdit]]


def with_trailer(message: str, branch: str) -> str:
    """``message`` with our trailer in its last paragraph."""
    body = message.rstrip()
    last = body.partition("\n\n")[2].rsplit("\n\n", 1)[-1].splitlines()
    has_trailers = bool(last) and all(re.match(r"[A-Za-z][\w-]*: ", line) for line in last)
    separator = "\n" if has_trailers else "\n\n"
    return f"{body}{separator}{TRAILER}: {branch}\n"


@dataclass(frozen=True, slots=True)
class Kept:
    """Why a branch stays as it is, for a person; ``shared``: commits of other people are on it."""

    note: str
    shared: bool


@dataclass(frozen=True, slots=True)
class BranchOnServer:
    """A branch that is there. ``commit`` is its head, ``email`` the committer of our own commits."""

    objects: Objects
    remote: Remote
    name: str
    commit: str
    email: str

    def kept(
        self,
        wanted: git.Commit,
        is_on_base: Callable[[str], bool],
        remaining: Remaining | None,
    ) -> Kept | None:
        """Why the branch stays as it is; None if it may and must be written again.

        Args:
            wanted: the commit that we would put there.
            is_on_base: whether a commit is part of the base branch.
            remaining: see `GitOpsClone.propose`.

        Raises:
            OthersCommits: other people's commits are on it, and the wanted change is not in it.
        """
        self._fetch("--depth=2", "--filter=blob:none")
        head = self.objects.commit(self.commit)
        if self._is_ours(head) and len(head.parents) == 1 and is_on_base(head.parents[0].hexsha):
            if self.objects.is_ancestor(head.hexsha, wanted.parents[0].hexsha):
                # It was merged and has been taken back: GitHub sees nothing in it to propose. The history
                # that was fetched to find its parent reaches at least as far as itself.
                return None
            same = self.objects.changed(head.parents[0], head) == self._changed_by(wanted)
            # Another trailer stands for another plan: who reviewed that commit has not seen this one.
            if same and _trailers(head) == _trailers(wanted):
                return Kept("holds this change already", shared=False)
            return None
        foreign = self._foreign(head, is_on_base)
        if not foreign:
            return None
        if self._holds(head, wanted, remaining):
            note = f"left as it is, the change is in it together with {_described(foreign)}"
            return Kept(note, shared=True)
        raise OthersCommits(
            "Git",
            f"branch {self.name} of {self.remote.url}",
            f"has commits that are not ours, and the wanted change is not in it: {_described(foreign)}",
            "Merge or close its pull request, or delete the branch, then run again.",
        )

    def _foreign(self, head: git.Commit, is_on_base: Callable[[str], bool]) -> list[git.Commit]:
        """Commits of other people on the branch, the newest first."""
        self._fetch(f"--depth={_LOOK_BACK}", "--filter=tree:0")
        chain = [head]
        while chain[-1].parents and len(chain) < _LOOK_BACK:
            chain.append(chain[-1].parents[0])
        on_top = list(itertools.takewhile(lambda commit: not self._is_ours(commit), chain))
        if 0 < len(on_top) < len(chain):
            return on_top
        # None of ours, or ours on something that is not the base branch; that takes more history to tell.
        if is_on_base(head.hexsha):
            return []
        return [commit for commit in chain if not self._is_ours(commit) and not is_on_base(commit.hexsha)]

    def _is_ours(self, commit: git.Commit) -> bool:
        """Whether we made it for this branch, and nobody has rewritten it since."""
        trailers = re.findall(rf"^{TRAILER}: (.+)$", _text(commit.message), re.MULTILINE)
        return commit.committer.email == self.email and trailers == [self.name]

    def _changed_by(self, wanted: git.Commit) -> dict[str, str | None]:
        return dict(self.objects.changed(wanted.parents[0], wanted))

    def _holds(self, head: git.Commit, wanted: git.Commit, remaining: Remaining | None) -> bool:
        if remaining is not None:
            return not remaining(
                CommitTree(head, lambda blobs: self.objects.fetch_objects(self.remote, blobs))
            )
        return not self.objects.changed(head, wanted).keys() & self._changed_by(wanted).keys()

    def _fetch(self, *options: str) -> None:
        self.objects.fetch(self.remote, self.commit, *options)


def _trailers(commit: git.Commit) -> list[str]:
    return _text(commit.message).rstrip().rsplit("\n\n", 1)[-1].splitlines()


def _described(commits: Sequence[git.Commit]) -> str:
    """The commits as a person would name them, at most five."""
    names = [
        f"{commit.hexsha[:9]} by {commit.author.name} ({_text(commit.summary)[:60]!r})" for commit in commits
    ]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
