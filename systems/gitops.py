"""The GitOps repository: a clone of just enough of it, and the one commit that we propose.

The clone is bare, one commit deep and without file contents; those that are read are fetched in few requests.
Nothing of the repository is ever written to disk as a file, so that neither its hooks, filters and links nor
its size matter.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import git
from pydantic import SecretStr

from runbook.errors import EnablementError, UnexpectedAnswer
from runbook.gitops import FileEdit
from systems.git_branch import TRAILER, Branch, Proposal, Remaining
from systems.git_command import GitCommand, Remote
from systems.git_objects import CommitTree, Objects
from systems.temporary import temporary_folder

Sign = Callable[[str, str, str, Mapping[str, bytes]], str]
"""Has the server make a signed commit at the head of a branch. Takes the branch, the commit that is its head,
the message and the files by path; returns the commit's id."""


class GitOpsClone:
    """A clone of the base branch in a private folder.

    Attributes:
        base_commit: the head of the base branch when it was cloned.
        tree: the files of that commit.
    """

    def __init__(
        self, command: GitCommand, remote: Remote, base_branch: str, interesting: Sequence[str]
    ) -> None:
        self._interesting = interesting
        self._heads: Mapping[str, str] | None = None
        """Of all branches, where they were just looked at."""
        self._told: str | None = None
        """Head of the base branch, where the server has just told it otherwise."""
        self._clone(command, remote, base_branch)

    def _clone(self, command: GitCommand, remote: Remote, base_branch: str) -> None:
        command.talk(
            remote,
            f"branch {base_branch} of {remote.url}",
            *("clone", "--bare", "--depth=1", "--single-branch", "--no-tags", "--filter=blob:none"),
            *("--template=", f"--branch={base_branch}", "--", remote.url, str(command.folder)),
        )
        self._objects = Objects(command, remote, base_branch)
        self.base_commit = self._objects.base.hexsha
        self.tree = CommitTree(self._objects, self._objects.base, remote)
        self.tree.begin(self._interesting)

    @classmethod
    @contextmanager
    def open(
        cls,
        url: str,
        base_branch: str,
        token: SecretStr | None,
        *,
        ca_pem: str | None = None,
        interesting: Sequence[str] = (),
        timeout: float = 300.0,
    ) -> Iterator[Self]:
        """A clone of ``base_branch`` of the repository at ``url``, which is removed afterwards.

        Args:
            url: https or http address without credentials.
            token: sent as the password of `x-access-token`; None where no login is needed.
            ca_pem: certificates to trust instead of the system's.
            interesting: folders whose files are fetched at once, see `CommitTree.begin`; others when they are
                first read.
            timeout: seconds that one git command may take; a transfer that stands still is given up sooner.

        Raises:
            InvalidInput: the address is of no kind that we use, or carries credentials.
            AccessDenied: the token is missing, not accepted, or may not read.
            PrerequisiteMissing: no such repository or branch, or no folder for the clone.
            CertificateNotTrusted: the server's certificate does not check out.
            Unreachable, Busy: no answer, or one that means "later".
        """
        remote = Remote(url, token, ca_pem)
        with temporary_folder("gitops-") as home:
            clone = cls(GitCommand(Path(home), timeout), remote, base_branch, interesting)
            try:
                yield clone
            finally:
                clone._objects.repository.close()

    def tell(self, head: str) -> None:
        """Say where the base branch is on the server now, so that the next `renew` need not ask."""
        self._told = head

    def renew(self) -> bool:
        """Clone anew if the base branch has moved on the server; returns whether it has.

        Raises:
            EnablementError: as `open`. This clone is of no use then.
        """
        objects, told = self._objects, self._told
        self._told = None
        if told == self.base_commit:
            return False
        self._heads = Branch(objects, objects.remote, objects.base_branch).heads()
        if self._heads.get(objects.base_branch) == self.base_commit:
            return False
        objects.repository.close()
        shutil.rmtree(objects.command.folder)
        self._clone(objects.command, objects.remote, objects.base_branch)
        return True

    def head_of(self, branch: str, url: str | None = None, token: SecretStr | None = None) -> str | None:
        """Commit at the head of a branch on the server; None if it is not there.

        Args:
            branch: its name.
            url: the repository that has the branch, when it is a fork of the one cloned.
            token: for ``url``.

        Raises:
            Conflict: it cannot be made, because of the name of another branch.
            EnablementError: otherwise as `open`.
        """
        return self._branch(branch, url, token).head()

    def _branch(self, name: str, url: str | None, token: SecretStr | None) -> Branch:
        own = self._objects.remote
        return Branch(self._objects, Remote(url, token, own.ca_pem) if url else own, name)

    def propose(
        self,
        branch: str,
        edits: Sequence[FileEdit],
        message: str,
        *,
        author_name: str,
        author_email: str,
        remaining: Remaining,
        unclear: Callable[[Proposal], None],
        push_url: str | None = None,
        push_token: SecretStr | None = None,
        sign: Sign | None = None,
    ) -> Proposal:
        """Have ``branch`` hold ``edits`` as one commit on the base branch.

        Nothing is pushed when the branch holds just this already, under the same trailers. A branch that only
        we wrote to is rebuilt; a branch with commits of other people is left as it is.

        Args:
            edits: at least one, made from this clone's ``tree``.
            message: of the commit, with trailers at its end, to which ours is added. Another wording alone
                is no reason to push.
            remaining: what is left to do in a tree. By it a branch that other people changed is judged.
            unclear: told what was pushed where no answer says whether the server has it; then that is raised.
            push_url: the repository that has the branch, when it is a fork of the one cloned.
            push_token: for ``push_url``.
            sign: where commits have to be signed: see `Sign`. One of ours that is not signed is made again.

        Raises:
            OthersCommits: other people's commits are on the branch without the change.
            Conflict: a hook refused, or a branch of another name is in the way.
            AccessDenied: we may not push there.
            Busy: somebody else pushed meanwhile; or an answer that means "later".
            EnablementError: otherwise as `open`.
        """
        at = self._branch(branch, push_url, push_token)
        message = f"{message.rstrip()}\n{TRAILER}: {branch}\n"
        wanted = self._objects.write(self.tree, edits, message, f"{author_name} <{author_email}>")
        # What moves after that look, the push refuses.
        there = at.head(None if push_url else self._heads)
        self._heads = None
        if there is not None:
            kept = at.kept(there, wanted, remaining, signed=sign is not None)
            if kept is not None:
                return kept
        if sign is not None:
            wanted = self._signed(Branch(self._objects, at.remote, f"{branch}.signing"), wanted, edits, sign)
        note = "rebuilt on the present base" if there else "new"
        pushed = Proposal(wanted.hexsha, branch, pushed=True, note=note, before=there)
        try:
            at.push(there, wanted.hexsha)
        except EnablementError as error:
            if error.maybe_done:
                unclear(pushed)
            raise
        return pushed

    def _signed(self, aside: Branch, wanted: git.Commit, edits: Sequence[FileEdit], sign: Sign) -> git.Commit:
        """The commit ``wanted`` as the server makes it, on a branch ``aside`` that is gone afterwards.

        On the branch itself the pull request would end when the base commit is put there.

        Raises:
            UnexpectedAnswer: the server's commit holds something else.
        """
        aside.push(aside.head(), self.base_commit)
        files = {edit.path: edit.after.encode("utf-8", "surrogateescape") for edit in edits}
        try:
            made = sign(aside.name, self.base_commit, str(wanted.message), files)
            self._objects.fetch(aside.remote, [made], "--depth=2", "--filter=blob:none")
        finally:
            aside.delete()
        commit = self._objects.repository.commit(made)
        if (commit.tree, commit.parents) != (wanted.tree, wanted.parents):
            answer = f"made the commit {made}, which differs from what was requested"
            raise UnexpectedAnswer(
                "GitHub", f"branch {aside.name}", answer, "Compare it with the plan's diff."
            )
        return commit
