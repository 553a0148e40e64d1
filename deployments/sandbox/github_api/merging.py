"""Merging as GitHub's three buttons do it, by Git itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from deployments.sandbox.github_api.git import Git, GitError, Identity
from deployments.sandbox.github_api.hosting import STAND_IN, Hosting, committing
from deployments.sandbox.github_api.state import PullRequest, Repository

MergeMethod = Literal["merge", "squash", "rebase"]


class NotMergeable(Exception):  # noqa: N818 - GitHub's own words
    """The two sides do not fit together."""


class Merger:
    """Merges pull requests in a repository's own work tree. Not for two threads at once."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._git: Git = hosting.git
        self._test_merges: dict[tuple[int, str, str], str | None] = {}

    def test_merge(self, repository: Repository, base: str, head: str) -> str | None:
        """A merge of commit ``head`` into commit ``base`` that is on no branch; None on a conflict."""
        asked = (repository.id, base, head)
        if asked not in self._test_merges:
            with self._work_tree(repository, base) as work_tree:
                try:
                    commit = self._merge(work_tree, head, f"Merge {head} into {base}", STAND_IN)
                except NotMergeable:
                    commit = None
            self._test_merges[asked] = commit
        return self._test_merges[asked]

    def merge(
        self,
        repository: Repository,
        pull: PullRequest,
        method: MergeMethod,
        by: Identity,
        author: Identity,
        *,
        base: str,
        title: str | None,
        message: str | None,
    ) -> str:
        """Make the merged commit on top of ``base`` and return its id; no branch is moved.

        Args:
            by: who presses the button: author of a merge commit, committer of a rebase.
            author: whose pull request it is: author of a squashed commit.
            title: first line of the new commit; GitHub's own wording without one.

        Raises:
            NotMergeable: on a conflict.
        """
        if method == "rebase":
            with self._work_tree(repository, pull.head_sha) as work_tree:
                return self._rebase(work_tree, base, by)
        with self._work_tree(repository, base) as work_tree:
            if method == "squash":
                text = _text(*self._squashed_message(work_tree, pull, base), title, message)
                return self._squash(work_tree, pull.head_sha, text, author)
            first_line = f"Merge pull request #{pull.number} from {pull.head_owner}/{pull.head_branch}"
            return self._merge(work_tree, pull.head_sha, _text(first_line, pull.title, title, message), by)

    @contextmanager
    def _work_tree(self, repository: Repository, commit: str) -> Iterator[Path]:
        work_tree = self._hosting.work_tree(repository)
        self._git.run(work_tree, "reset", "--quiet", "--hard", commit)
        self._git.run(work_tree, "clean", "-ffdxq")
        try:
            yield work_tree
        finally:
            # Ends a merge or rebase that stopped at a conflict, too.
            self._git.run(work_tree, "reset", "--quiet", "--hard")

    def _merge(self, work_tree: Path, head: str, text: str, by: Identity) -> str:
        self._try(
            work_tree,
            *("merge", "--quiet", "--no-ff", "--no-edit", "-m", text, head),
            environment=committing(by, STAND_IN),
        )
        return self._git.run(work_tree, "rev-parse", "HEAD").strip()

    def _squash(self, work_tree: Path, head: str, text: str, author: Identity) -> str:
        self._try(work_tree, "merge", "--quiet", "--squash", head, environment=committing(author, STAND_IN))
        self._git.run(
            work_tree,
            *("commit", "--quiet", "--allow-empty", "--cleanup=whitespace", "-m", text),
            environment=committing(author, STAND_IN),
        )
        return self._git.run(work_tree, "rev-parse", "HEAD").strip()

    def _rebase(self, work_tree: Path, base: str, by: Identity) -> str:
        # GitHub makes new commits even where a fast-forward would do.
        try:
            self._try(work_tree, "rebase", "--quiet", "--no-ff", base, environment=committing(by, by))
        except NotMergeable:
            self._git.run(work_tree, "rebase", "--abort")
            raise
        return self._git.run(work_tree, "rev-parse", "HEAD").strip()

    def _try(self, work_tree: Path, *arguments: str, environment: dict[str, str]) -> None:
        try:
            self._git.run(work_tree, *arguments, environment=environment)
        except GitError as error:
            if error.status == 1:
                raise NotMergeable(error.said) from error
            raise

    def _squashed_message(self, work_tree: Path, pull: PullRequest, base: str) -> tuple[str, str]:
        """GitHub's default: of one commit its own text, of several their list."""
        commits = self._git.run(work_tree, "rev-list", "--reverse", f"{base}..{pull.head_sha}").split()
        if len(commits) == 1:
            subject, _, body = self._git.run(
                work_tree, "show", "--no-patch", "--format=%s%n%b", commits[0]
            ).partition("\n")
            return f"{subject} (#{pull.number})", body.strip()
        subjects = self._git.run(work_tree, "log", "--reverse", "--format=* %s", f"{base}..{pull.head_sha}")
        return f"{pull.title} (#{pull.number})", subjects.strip()


def _text(default_title: str, default_message: str, title: str | None, message: str | None) -> str:
    first = title or default_title
    rest = default_message if message is None else message
    return f"{first}\n\n{rest}".strip()
