"""What can be done with a pull request, and what a push does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sandbox.github_api.hosting import Hosting
from sandbox.github_api.merging import MergeMethod, Merger, NotMergeable
from sandbox.github_api.problems import Problem, custom, invalid_field
from sandbox.github_api.state import PullRequest, Repository, now

Moved = Mapping[str, str | None]
"""Branches that moved, and the commit where they are now; None if they are gone."""


class PullRequests:
    """The rules of pull requests. ``announce`` tells the webhooks what happened."""

    def __init__(
        self, repositories: Sequence[Repository], hosting: Hosting, announce: Callable[..., None]
    ) -> None:
        self._repositories = repositories
        self._hosting = hosting
        self._merger = Merger(hosting)
        self._announce = announce

    def open(
        self,
        base: Repository,
        base_branch: str,
        head: Repository,
        head_branch: str,
        *,
        title: str,
        body: str | None,
        author: str,
    ) -> PullRequest:
        """Open a pull request.

        Raises:
            Problem: 422 for an unknown branch, a duplicate, or a head that brings nothing.
        """
        base_sha, head_sha = self._commit_of(base, base_branch), self._commit_of(head, head_branch)
        if base_sha is None:
            raise invalid_field("PullRequest", "base")
        if head_sha is None:
            raise invalid_field("PullRequest", "head")
        for other in base.pulls:
            same = (other.head, other.head_branch, other.base_branch) == (head, head_branch, base_branch)
            if other.state == "open" and same:
                raise custom(f"A pull request already exists for {head.owner}:{head_branch}.")
        pull = PullRequest(
            *(len(base.pulls) + 1, base, base_branch, base_sha, head, head_branch, head_sha),
            title=title,
            body=body,
            author=author,
        )
        self._hosting.bring_head_of(pull)
        if self._hosting.git.is_ancestor(self._hosting.path(base), head_sha, base_sha):
            raise custom(f"No commits between {base_branch} and {head_branch}")
        base.pulls.append(pull)
        self._tell(pull, "opened")
        return pull

    def edit(self, pull: PullRequest, title: str | None, body: str | None) -> None:
        """Change title and body; None leaves one as it is."""
        pull.title = pull.title if title is None else title
        pull.body = pull.body if body is None else body
        self._tell(pull, "edited")

    def close(self, pull: PullRequest, by: str, merged_as: str | None = None) -> None:
        """Close it, without a merge if none is named; closed already is fine."""
        if pull.state == "open":
            pull.closed_at, pull.closed_by, pull.merge_commit_sha = now(), by, merged_as
            self._tell(pull, "closed")

    def reopen(self, pull: PullRequest) -> None:
        """Reopen a closed one.

        Raises:
            Problem: 422 if it is merged, or its branch is gone.
        """
        head_sha = self._commit_of(pull.head, pull.head_branch)
        if pull.merge_commit_sha or head_sha is None:
            raise custom("state cannot be changed. The pull request cannot be reopened.")
        pull.closed_at, pull.closed_by, pull.head_sha = None, None, head_sha
        self._hosting.bring_head_of(pull)
        self._tell(pull, "reopened")

    def test_merge(self, pull: PullRequest) -> str | None:
        """The commit by which GitHub tries whether an open one merges; None on a conflict or if closed."""
        base_sha = self._commit_of(pull.base, pull.base_branch)
        if pull.state == "closed" or base_sha is None:
            return None
        return self._merger.test_merge(pull, base_sha)

    def merge(self, pull: PullRequest, by: str, method: MergeMethod, expected_head: str | None = None) -> str:
        """Merge and return the new head of the base branch.

        Raises:
            Problem: 405 if it is not open or conflicts, 409 if the head is not the expected one.
        """
        base_sha = self._commit_of(pull.base, pull.base_branch)
        if pull.state == "closed" or base_sha is None:
            raise Problem(405, "Pull Request is not mergeable")
        if expected_head not in (None, pull.head_sha):
            raise Problem(409, "Head branch was modified. Review and try the merge again.")
        try:
            commit = self._merger.merge(pull, method, by, base_sha)
        except NotMergeable as error:
            raise Problem(405, "Pull Request is not mergeable") from error
        self._hosting.git.run(
            self._hosting.path(pull.base), "update-ref", f"refs/heads/{pull.base_branch}", commit
        )
        self.close(pull, by, merged_as=commit)
        self.pushed(pull.base, {pull.base_branch: commit}, by)
        return commit

    def pushed(self, repository: Repository, moved: Moved, by: str) -> None:
        """Let pull requests follow branches of ``repository`` that moved.

        A moved head branch moves the pull request's head; a deleted one closes it.
        """
        for branch, commit in moved.items():
            self._announce("push", repository, ref=f"refs/heads/{branch}")
            for pull in [pull for each in self._repositories for pull in each.pulls]:
                if pull.state == "open" and pull.head is repository and pull.head_branch == branch:
                    self._follow(pull, commit, by)

    def _follow(self, pull: PullRequest, commit: str | None, by: str) -> None:
        if commit is None:
            self.close(pull, by)
            return
        pull.head_sha = commit
        pull.base_sha = self._commit_of(pull.base, pull.base_branch) or pull.base_sha
        self._hosting.bring_head_of(pull)
        self._tell(pull, "synchronize")

    def _tell(self, pull: PullRequest, action: str) -> None:
        self._announce("pull_request", pull.base, action=action, number=pull.number)

    def _commit_of(self, repository: Repository, branch: str) -> str | None:
        return self._hosting.git.commit_of(self._hosting.path(repository), branch)
