"""The GitOps repository: a clone of just enough of it, and the one commit that we propose.

The clone is bare, one commit deep and without file contents; those that are read are fetched in few requests.
Nothing of the repository is ever written to disk as a file, so that neither its hooks, filters and links nor
its size matter.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import git
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    Conflict,
    EnablementError,
    PrerequisiteMissing,
    TransientError,
    UnexpectedAnswer,
)
from runbook.gitops import FileEdit, Tree
from systems.git_branch import BranchOnServer, Remaining, with_trailer
from systems.git_command import GitCommand, GitError, Remote, as_error, last_words
from systems.git_objects import CommitTree, Identity, Objects

TRANSFER_TIMEOUT = 300.0
"""Seconds that one git command may take; a transfer that stands still is given up sooner."""


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


def _head(command: GitCommand, remote: Remote, branch: str) -> str | None:
    """Commit at the head of ``branch`` on the server; None if there is no such branch."""
    wanted = f"refs/heads/{branch}"
    try:
        output = command.run("ls-remote", "--", remote.url, wanted, remote=remote)
    except GitError as error:
        raise as_error(error, f"branch {branch} of {remote.url}") from error
    heads = {name: commit for commit, _, name in (line.partition("\t") for line in output.splitlines())}
    return heads.get(wanted)


class GitOpsClone:
    """A clone of the base branch in a private folder; a context manager that removes it.

    Attributes:
        base_commit: the head of the base branch when it was cloned.
        tree: the files of that commit.
    """

    def __init__(
        self, command: GitCommand, folder: Path, remote: Remote, base_branch: str, cleanup: ExitStack
    ) -> None:
        self._command = command
        self._folder = folder
        self._remote = remote
        self._base_branch = base_branch
        self._cleanup = cleanup
        self._objects = Objects(folder, command)
        cleanup.callback(self._objects.close)
        self._base = self._objects.commit(f"refs/heads/{base_branch}")
        self.base_commit = self._base.hexsha
        self._deeper = ["--deepen=100", "--deepen=1000", "--depth=2147483647"]
        self._tree = CommitTree(self._base, lambda blobs: self._objects.fetch_objects(remote, blobs))
        self.tree: Tree = self._tree

    @classmethod
    def open(
        cls,
        url: str,
        base_branch: str,
        token: SecretStr | None,
        *,
        ca_pem: str | None = None,
        interesting: Sequence[str] = (),
        proxy: str = "",
        timeout: float = TRANSFER_TIMEOUT,
    ) -> Self:
        """Clone ``base_branch`` of the repository at ``url``.

        Args:
            url: https, http or file address without credentials, or an absolute path.
            token: sent as the password of `x-access-token`; None where no login is needed.
            ca_pem: certificates to trust instead of the system's.
            interesting: folders whose files are fetched at once; others when they are first read.
            proxy: address of a proxy; those of the environment are not used.
            timeout: seconds that one git command may take.

        Raises:
            InvalidInput: the address is of no kind that we use, or carries credentials.
            AccessDenied: the token is missing, not accepted, or may not read.
            PrerequisiteMissing: no such repository, or it has no such branch.
            CertificateNotTrusted: the server's certificate does not check out.
            Unreachable, Busy: no answer, or one that means "later".
        """
        remote = Remote(url, token, ca_pem=ca_pem, proxy=proxy)
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-")))
            folder = home / "repository.git"
            command = GitCommand(home, timeout)
            shape = (
                "--bare",
                "--depth=1",
                "--single-branch",
                "--no-tags",
                "--filter=blob:none",
                "--template=",
            )
            try:
                command.run(
                    "clone", *shape, f"--branch={base_branch}", "--", remote.url, folder.name, remote=remote
                )
            except GitError as error:
                raise as_error(error, f"branch {base_branch} of {remote.url}") from error
            clone = cls(command, folder, remote, base_branch, stack)
            if interesting:
                clone._tree.fetch(interesting)
            clone._cleanup = stack.pop_all()
            return clone

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the clone."""
        self._cleanup.close()

    def propose(
        self,
        branch: str,
        edits: Sequence[FileEdit],
        message: str,
        *,
        author_name: str,
        author_email: str,
        push_url: str | None = None,
        push_token: SecretStr | None = None,
        remaining: Remaining | None = None,
        unclear: Callable[[Proposal], None] = lambda _proposal: None,
    ) -> Proposal:
        """Have ``branch`` hold ``edits`` as one commit on the base branch.

        Nothing is pushed when the branch holds just this already, under the same trailers. A branch that only
        we wrote to is rebuilt; a branch with commits of other people is left as it is.

        Args:
            edits: at least one, made from this clone's ``tree``.
            message: of the commit; our trailer is added. Another wording alone is no reason to push.
            push_url: the repository that has the branch, when it is a fork of the one cloned.
            push_token: for ``push_url``.
            remaining: what is left to do in a tree. With it a branch that other people changed is judged by
                what it means; without it only by the edited files being there as we would write them.
            unclear: told what was pushed where no answer says whether the server has it; then that is raised.

        Raises:
            OthersCommits: other people's commits are on the branch without the change.
            Conflict: a hook refused.
            AccessDenied: we may not push there.
            Busy: somebody else pushed meanwhile; or an answer that means "later".
            EnablementError: otherwise as `open`.
        """
        if not edits:
            msg = "a proposal needs at least one edit"
            raise ValueError(msg)
        remote = self._remote
        if push_url is not None and Remote(push_url).url != remote.url:
            remote = Remote(push_url, push_token, ca_pem=remote.ca_pem, proxy=remote.proxy, name="fork")
            self._command.run("config", "remote.fork.url", remote.url, folder=self._folder)
        message = with_trailer(message, branch)
        wanted = self._objects.write(self._base, edits, message, Identity(author_name, author_email))
        there = _head(self._command, remote, branch)
        if there is not None:
            on_server = BranchOnServer(self._objects, remote, branch, there, author_email)
            kept = on_server.kept(wanted, self._is_on_base, remaining)
            if kept is not None:
                return Proposal(there, branch, pushed=False, note=kept.note, shared=kept.shared)
        note = "rebuilt on the present base" if there else "new"
        pushed = Proposal(wanted.hexsha, branch, pushed=True, note=note, before=there)
        try:
            self._push(remote, branch, there or "", wanted)
        except EnablementError as error:
            if error.maybe_done:
                unclear(pushed)
            raise
        return pushed

    def _is_on_base(self, commit: str) -> bool:
        """Whether ``commit`` is the head of the base branch or one of those before it."""
        while not self._objects.is_ancestor(commit, self.base_commit):
            if not self._deeper:
                return False
            further = self._deeper.pop(0)
            self._objects.fetch(self._remote, f"refs/heads/{self._base_branch}", further, "--filter=tree:0")
        return True

    def _push(self, remote: Remote, branch: str, expected: str, commit: git.Commit) -> None:
        """Put ``commit`` at the head of ``branch``, if that is still ``expected`` ('' for: not there)."""
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{expected}"
        command = ("push", "--porcelain", lease, remote.name, f"{commit.hexsha}:{ref}")
        subject = f"branch {branch} of {remote.url}"
        try:
            try:
                self._command.run(*command, folder=self._folder, remote=remote, fetch_what_lacks=True)
            except GitError as error:
                if "shallow update not allowed" not in error.said:
                    raise
                self._fetch_what_lacks(remote)
                self._command.run(*command, folder=self._folder, remote=remote, fetch_what_lacks=True)
        except GitError as error:
            raise _push_error(error, subject) from error

    def _fetch_what_lacks(self, fork: Remote) -> None:
        """Fetch the part of the base branch that a fork which lags behind lacks: it has to be pushed too."""
        tip = _head(self._command, fork, self._base_branch)
        if tip is None or not self._is_on_base(tip):
            raise PrerequisiteMissing(
                "Git",
                fork.url,
                f"the fork has no branch {self._base_branch} that the repository's own is a continuation of",
                "Synchronise the fork with the repository, then run again.",
            )
        while missing := self._objects.missing(tip, self.base_commit):
            self._objects.fetch_objects(self._remote, missing)


_MEANWHILE = ("stale info", "fetch first", "non-fast-forward", "failed to update ref", "cannot lock ref")


def _push_error(error: GitError, subject: str) -> EnablementError:
    rejected = re.search(r"^!.*\[(?:remote )?rejected\] \((.*)\)", error.said, re.MULTILINE)
    if rejected is None:
        failure = as_error(error, subject)
        # A server that says no says so line by line; of an answer that cannot be read nobody knows.
        failure.maybe_done = isinstance(failure, TransientError | UnexpectedAnswer)
        return failure
    reason, answer = rejected.group(1), last_words(error.said)
    if any(sign in reason for sign in _MEANWHILE):
        busy = Busy("Git", subject, answer, "Somebody pushed to it meanwhile; the run looks again.")
        # It may have been ourselves: where a connection dies, git's HTTP library sends the push once more.
        busy.maybe_done = True
        return busy
    if "protected" in error.said.lower() or "permission" in reason:
        return AccessDenied("Git", subject, answer, "Allow the pipeline's user to push this branch.")
    return Conflict("Git", subject, answer, "Do what the server's message asks for, then run again.")
