"""Merging as GitHub's three buttons do it, by Git itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sandbox.github_api.git import STAND_IN, GitError, committing
from sandbox.github_api.hosting import Hosting
from sandbox.github_api.state import PullRequest, Repository

MergeMethod = Literal["merge", "squash", "rebase"]


class NotMergeable(Exception):  # noqa: N818 - GitHub's own words
    """The two sides do not fit together."""


class Merger:
    """Merges pull requests in a repository's own work tree. Not for two threads at once."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._test_merges: dict[tuple[str, str], str | None] = {}

    def test_merge(self, pull: PullRequest, base: str) -> str | None:
        """A merge into commit ``base`` that is on no branch; None on a conflict."""
        asked = (base, pull.head_sha)
        if asked not in self._test_merges:
            try:
                with self._work_tree(pull.base, base) as work_tree:
                    text = f"Merge {pull.head_sha} into {base}"
                    self._test_merges[asked] = self._merge(work_tree, pull.head_sha, text, STAND_IN)
            except NotMergeable:
                self._test_merges[asked] = None
        return self._test_merges[asked]

    def merge(self, pull: PullRequest, method: MergeMethod, by: str, base: str) -> str:
        """Make the merged commit on top of ``base`` and return its id; no branch is moved.

        Args:
            by: who presses the button: author of a merge commit, committer of a rebase.

        Raises:
            NotMergeable: on a conflict.
        """
        if method == "rebase":
            with self._work_tree(pull.base, pull.head_sha) as work_tree:
                # GitHub makes new commits even where a fast-forward would do.
                self._try(work_tree, "rebase", "--quiet", "--no-ff", base, **committing(by, by))
                return self._head(work_tree)
        with self._work_tree(pull.base, base) as work_tree:
            if method == "squash":
                text, people = f"{pull.title} (#{pull.number})", committing(pull.author)
                self._try(work_tree, "merge", "--quiet", "--squash", pull.head_sha, **people)
                self._hosting.git.run(work_tree, "commit", "--quiet", "-m", text, **people)
                return self._head(work_tree)
            first_line = f"Merge pull request #{pull.number} from {pull.head.owner}/{pull.head_branch}"
            return self._merge(work_tree, pull.head_sha, f"{first_line}\n\n{pull.title}", by)

    @contextmanager
    def _work_tree(self, repository: Repository, commit: str) -> Iterator[Path]:
        work_tree, git = self._hosting.work_tree(repository), self._hosting.git
        git.run(work_tree, "checkout", "--quiet", "--force", "--detach", commit)
        try:
            yield work_tree
        finally:
            # Ends a merge or rebase that stopped at a conflict, too.
            git.run(work_tree, "reset", "--quiet", "--hard")

    def _merge(self, work_tree: Path, head: str, text: str, by: str) -> str:
        self._try(work_tree, "merge", "--quiet", "--no-ff", "-m", text, head, **committing(by))
        return self._head(work_tree)

    def _head(self, work_tree: Path) -> str:
        return self._hosting.git.run(work_tree, "rev-parse", "HEAD").strip()

    def _try(self, work_tree: Path, command: str, *arguments: str, **environment: str) -> None:
        try:
            self._hosting.git.run(work_tree, command, *arguments, **environment)
        except GitError as error:
            if error.status != 1:
                raise
            if command == "rebase":
                self._hosting.git.run(work_tree, "rebase", "--abort")
            raise NotMergeable(str(error)) from error
