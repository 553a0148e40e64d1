"""The branch on the server that holds, or is to hold, our change, and whose the commits on it are.

A branch that only we wrote to may be rebuilt; one that a person pushed to may not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import git

from runbook.errors import Conflict, OthersCommits, PrerequisiteMissing
from runbook.gitops import FileEdit, Tree
from systems.git_command import Remote
from systems.git_objects import CommitTree, Objects
from systems.git_refusals import GitError, push_error

TRAILER = "Enablement-Change"
"""Trailer of our commits, with the branch as its value. With our committer address it makes a commit ours."""

_LOOK_BACK = 50
"""How many commits of a branch are read to find ours below those of other people."""

Remaining = Callable[[Tree], Sequence[FileEdit]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The branch as it is on the server now.

    Attributes:
        pushed: whether we wrote it now.
        before: the commit that we replaced; None where the branch was not there, or was left as it is.
        note: why it is as it is, for a person.
        shared: whether commits of other people are on it beside ours.
    """

    commit: str
    branch: str
    pushed: bool
    note: str
    shared: bool = False
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch on a server, perhaps to be made."""

    objects: Objects
    remote: Remote
    name: str

    @property
    def subject(self) -> str:
        """As errors call it."""
        return f"branch {self.name} of {self.remote.url}"

    def heads(self) -> dict[str, str]:
        """Commit at the head of each branch of the repository."""
        url = self.remote.url
        listed = self.objects.command.talk(self.remote, self.subject, "ls-remote", "--heads", "--", url)
        return {name: at for at, name in re.findall(r"^(\w+)\trefs/heads/(.+)$", listed, re.MULTILINE)}

    def head(self, heads: Mapping[str, str] | None = None) -> str | None:
        """Commit at the head of the branch; None if there is no such branch.

        Args:
            heads: what `heads` has just returned, where it was asked.

        Raises:
            Conflict: there can be none, because of the name of another branch.
        """
        heads = self.heads() if heads is None else heads
        for name in heads:
            if self.name.startswith(f"{name}/") or name.startswith(f"{self.name}/"):
                raise Conflict(
                    "Git",
                    self.subject,
                    f"cannot be created beside the branch {name}: Git allows no branch below another one",
                    f"Rename or delete the branch {name}, then retry.",
                )
        return heads.get(self.name)

    def push(self, expected: str | None, commit: str) -> None:
        """Put ``commit`` at the head of the branch, if that is still ``expected``; None for: not there."""
        ref = f"refs/heads/{self.name}"
        lease = f"--force-with-lease={ref}:{expected or ''}"
        command = ("push", "--porcelain", lease, self.remote.url, f"{commit}:{ref}")
        try:
            try:
                self.objects.command.run(*command, remote=self.remote)
            except GitError as error:
                if "shallow update not allowed" not in error.said:
                    raise
                self._fetch_what_lacks()
                self.objects.command.run(*command, remote=self.remote)
        except GitError as error:
            raise push_error(error, self.subject) from error

    def _fetch_what_lacks(self) -> None:
        """Fetch the part of the base branch that a fork which lags behind lacks: it has to be pushed too."""
        there = Branch(self.objects, self.remote, self.objects.base_branch).head()
        if there is None or not self.objects.is_on_base(there):
            raise PrerequisiteMissing(
                "Git",
                self.remote.url,
                f"the fork's branch {self.objects.base_branch} is missing, or has commits that the "
                "repository does not have",
                "Sync the fork with the repository, then retry.",
            )
        listing = ("rev-list", "--objects", "--missing=print", f"^{there}", self.objects.base.hexsha)
        while missing := re.findall(r"^\?(\w+)$", self.objects.command.run(*listing), re.MULTILINE):
            self.objects.fetch(self.objects.remote, missing, "--filter=blob:none", negotiate=False)

    def delete(self) -> None:
        """Delete it, whatever is on it."""
        command = ("push", "--quiet", self.remote.url, f":refs/heads/{self.name}")
        self.objects.command.talk(self.remote, self.subject, *command)

    def kept(self, there: str, wanted: git.Commit, remaining: Remaining, *, signed: bool) -> Proposal | None:
        """The branch as it stays; None if it may and must be written again.

        Args:
            there: its head.
            wanted: the commit that we would put there.
            remaining: see `GitOpsClone.propose`.
            signed: whether a commit has to be.

        Raises:
            OthersCommits: other people's commits are on it, and the wanted change is not in it.
        """
        on_base = self.objects.is_on_base
        self.objects.fetch(self.remote, [there], "--depth=2", "--filter=blob:none")
        head = self.objects.repository.commit(there)
        if self._is_ours(head, wanted) and len(head.parents) == 1 and on_base(head.parents[0].hexsha):
            if self._is_outdated(head, wanted) or (signed and not head.gpgsig):
                return None
            return Proposal(there, self.name, pushed=False, note="has this change already")
        foreign = self._foreign(head, wanted)
        if not foreign:
            return None
        names = _described(foreign)
        if not remaining(CommitTree(self.objects, head, self.remote)):
            note = f"left as it is: it has the change, and {names}"
            return Proposal(there, self.name, pushed=False, note=note, shared=True)
        raise OthersCommits(
            "Git",
            self.subject,
            f"lacks the change, and has commits of others: {names}",
            "Merge or close its pull request, or delete the branch, then retry.",
        )

    def _is_outdated(self, head: git.Commit, wanted: git.Commit) -> bool:
        """Whether our commit ``head`` is not as good as ``wanted``."""
        changed, base = self.objects.changed, self.objects.base
        # If it was merged and has been taken back, GitHub sees nothing in it to propose. The history that was
        # fetched to find its parent reaches at least as far as itself.
        return (
            self.objects.is_ancestor(head.hexsha, base.hexsha)
            or changed(head.parents[0], head) != changed(base, wanted)
            # Another trailer stands for another plan: who reviewed that commit has not seen this one.
            or _trailers(head) != _trailers(wanted)
        )

    def _foreign(self, head: git.Commit, wanted: git.Commit) -> list[git.Commit]:
        """Commits of other people on the branch, the newest first."""
        self.objects.fetch(self.remote, [head.hexsha], f"--depth={_LOOK_BACK}", "--filter=tree:0")
        chain = list(self.objects.repository.iter_commits(head, max_count=_LOOK_BACK, first_parent=True))
        on_top = list(itertools.takewhile(lambda commit: not self._is_ours(commit, wanted), chain))
        if 0 < len(on_top) < len(chain):
            return on_top
        # None of ours, or ours on something that is not the base branch; that takes more history to tell.
        if self.objects.is_on_base(head.hexsha):
            return []
        others = (commit for commit in chain if not self._is_ours(commit, wanted))
        return [commit for commit in others if not self.objects.is_on_base(commit.hexsha)]

    def _is_ours(self, commit: git.Commit, wanted: git.Commit) -> bool:
        """Whether we made it for this branch as we made ``wanted``, and nobody has rewritten it since."""
        trailers = re.findall(rf"^{TRAILER}: (.+)$", str(commit.message), re.MULTILINE)
        # Commits that GitHub signs for us have GitHub as their committer.
        by_us = commit.committer.email == wanted.committer.email
        by_server = bool(commit.gpgsig) and (commit.committer.email or "").startswith("noreply@")
        return (by_us or by_server) and trailers == [self.name]


def _trailers(commit: git.Commit) -> list[str]:
    return str(commit.message).rstrip().rsplit("\n\n", 1)[-1].splitlines()


def _described(commits: Sequence[git.Commit]) -> str:
    """The commits as a person would name them, at most five."""
    names = [f"{each.hexsha[:9]} by {each.author.name} ({str(each.summary)[:60]!r})" for each in commits]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
