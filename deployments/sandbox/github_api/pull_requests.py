"""What can be done with a pull request, and what a push does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.sandbox.github_api.events import Event, PullRequestEvent, PushEvent, RefChanges
from deployments.sandbox.github_api.git import GitError
from deployments.sandbox.github_api.hosting import Hosting, identity_of
from deployments.sandbox.github_api.merging import MergeMethod, Merger, NotMergeable
from deployments.sandbox.github_api.problems import Problem, custom, invalid_field, not_found
from deployments.sandbox.github_api.state import PullRequest, Repository, State, now

_DUPLICATE = "https://docs.github.com/rest/pulls/pulls#create-a-pull-request"
_MERGE = "https://docs.github.com/rest/pulls/pulls#merge-a-pull-request"


class PullRequests:
    """The rules of pull requests. Every method holds the state's lock while it works."""

    def __init__(self, state: State, hosting: Hosting, announce: Callable[[Event], None]) -> None:
        self._state = state
        self._hosting = hosting
        self._git = hosting.git
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
        draft: bool = False,
        maintainer_can_modify: bool = False,
    ) -> PullRequest:
        """Open a pull request.

        Raises:
            Problem: 422 for an unknown branch, a duplicate, or a head that brings nothing.
        """
        with self._state.lock:
            base_sha = self._head_of(base, base_branch)
            head_sha = self._head_of(head, head_branch)
            if base_sha is None:
                raise invalid_field("PullRequest", "base")
            if head_sha is None:
                raise invalid_field("PullRequest", "head")
            for pull in self._state.pull_requests(base.full_name):
                same = (pull.head_repository, pull.head_branch, pull.base_branch)
                if pull.state == "open" and same == (head.full_name, head_branch, base_branch):
                    message = f"A pull request already exists for {head.owner}:{head_branch}."
                    raise custom("PullRequest", message, _DUPLICATE)
            pull = PullRequest(
                id=self._state.next_id(),
                number=len(self._state.pull_requests(base.full_name)) + 1,
                repository=base.full_name,
                base_branch=base_branch,
                base_sha=base_sha,
                head_repository=head.full_name,
                head_branch=head_branch,
                head_sha=head_sha,
                title=title,
                body=body,
                author=author,
                draft=draft,
                maintainer_can_modify=maintainer_can_modify,
            )
            self._hosting.update_head_of(pull, base, head, head_sha)
            if self._git.is_ancestor(self._hosting.path(base), head_sha, base_sha):
                raise custom("PullRequest", f"No commits between {base_branch} and {head_branch}", _DUPLICATE)
            self._state.add(pull)
            self._announce(PullRequestEvent("opened", pull, author))
            return pull

    def edit(
        self,
        pull: PullRequest,
        by: str,
        *,
        title: str | None = None,
        body: str | None = None,
        base_branch: str | None = None,
    ) -> None:
        """Change title, body or base branch; None leaves a field as it is."""
        changes: dict[str, Any] = {}
        with self._state.lock:
            if base_branch is not None and base_branch != pull.base_branch:
                base_sha = self._head_of(self._repository(pull.repository), base_branch)
                if pull.state == "closed" or base_sha is None:
                    raise invalid_field("PullRequest", "base")
                changes["base"] = {"ref": {"from": pull.base_branch}, "sha": {"from": pull.base_sha}}
                pull.base_branch, pull.base_sha = base_branch, base_sha
            if title is not None and title != pull.title:
                changes["title"] = {"from": pull.title}
                pull.title = title
            if body is not None and body != pull.body:
                changes["body"] = {"from": pull.body or ""}
                pull.body = body
            if changes:
                self._changed(pull)
                self._announce(PullRequestEvent("edited", pull, by, {"changes": changes}))

    def close(self, pull: PullRequest, by: str) -> None:
        """Close without a merge; closed already is fine."""
        with self._state.lock:
            if pull.state == "open":
                pull.state, pull.closed_at, pull.closed_by = "closed", now(), by
                self._changed(pull)
                self._announce(PullRequestEvent("closed", pull, by))

    def reopen(self, pull: PullRequest, by: str) -> None:
        """Reopen a closed one.

        Raises:
            Problem: 422 if it is merged, its branch is gone, or another is open for the same branch.
        """
        with self._state.lock:
            if pull.state == "open":
                return
            head = self._state.repository(pull.head_repository)
            head_sha = self._head_of(head, pull.head_branch) if head else None
            if pull.merged_at or head is None or head_sha is None:
                raise custom("PullRequest", "state cannot be changed. The pull request cannot be reopened.")
            base = self._repository(pull.repository)
            self._hosting.update_head_of(pull, base, head, head_sha)
            pull.state, pull.closed_at, pull.closed_by, pull.head_sha = "open", None, None, head_sha
            pull.base_sha = self._head_of(base, pull.base_branch) or pull.base_sha
            self._changed(pull)
            self._announce(PullRequestEvent("reopened", pull, by))

    def test_merge(self, pull: PullRequest) -> str | None:
        """The commit by which GitHub tries whether an open one merges; None on a conflict or if closed."""
        with self._state.lock:
            base = self._repository(pull.repository)
            base_sha = self._head_of(base, pull.base_branch)
            if pull.state == "closed" or base_sha is None:
                return None
            return self._merger.test_merge(base, base_sha, pull.head_sha)

    def merge(
        self,
        pull: PullRequest,
        by: str,
        method: MergeMethod,
        *,
        expected_head: str | None = None,
        title: str | None = None,
        message: str | None = None,
    ) -> str:
        """Merge and return the new head of the base branch.

        Raises:
            Problem: 405 if it is not open or conflicts, 409 if the head is not the expected one.
        """
        with self._state.lock:
            base = self._repository(pull.repository)
            base_sha = self._head_of(base, pull.base_branch)
            if pull.state == "closed" or pull.draft or base_sha is None:
                raise Problem(405, "Pull Request is not mergeable", documentation=_MERGE)
            if expected_head is not None and expected_head != pull.head_sha:
                message = "Head branch was modified. Review and try the merge again."
                raise Problem(409, message, documentation=_MERGE)
            try:
                commit = self._merger.merge(
                    *(base, pull, method, identity_of(by), identity_of(pull.author)),
                    base=base_sha,
                    title=title,
                    message=message,
                )
                # The old value makes it a compare-and-swap: a push may have come in between.
                reference = f"refs/heads/{pull.base_branch}"
                self._git.run(self._hosting.path(base), "update-ref", reference, commit, base_sha)
            except NotMergeable as error:
                raise Problem(405, "Pull Request is not mergeable", documentation=_MERGE) from error
            except GitError as error:
                message = "Base branch was modified. Review and try the merge again."
                raise Problem(405, message, documentation=_MERGE) from error
            pull.base_sha = base_sha
            self._merged(pull, by, commit)
            self.pushed(base, {pull.base_branch: (base_sha, commit)}, by)
            if base.delete_branch_on_merge:
                self.delete_head_branch(pull, by)
            return commit

    def delete_head_branch(self, pull: PullRequest, by: str) -> None:
        """Delete the proposed branch of a pull request; gone already is fine."""
        with self._state.lock:
            head = self._repository(pull.head_repository)
            before = self._head_of(head, pull.head_branch)
            if before is not None:
                self._git.run(self._hosting.path(head), "update-ref", "-d", f"refs/heads/{pull.head_branch}")
                self.pushed(head, {pull.head_branch: (before, None)}, by)

    def pushed(self, repository: Repository, changes: RefChanges, by: str) -> None:
        """Let pull requests follow branches of ``repository`` that moved.

        A moved head branch moves the pull request's head; a deleted one closes it. A base branch that now
        contains the head marks it merged, whoever brought it there.
        """
        with self._state.lock:
            repository.pushed_at = repository.updated_at = now()
            for branch, (before, after) in changes.items():
                self._announce(PushEvent(repository, branch, before, after, by))
            for pull in self._state.all_pull_requests():
                head_moved = pull.head_repository == repository.full_name and pull.head_branch in changes
                if head_moved and pull.state == "open":
                    self._follow_head(pull, repository, changes[pull.head_branch][1], by)
                base_moved = pull.repository == repository.full_name and pull.base_branch in changes
                if base_moved and pull.state == "open":
                    self._follow_base(pull, repository, changes[pull.base_branch], by)
            self._state.save()

    def _follow_head(self, pull: PullRequest, head: Repository, commit: str | None, by: str) -> None:
        if commit is None:
            self.close(pull, by)
            return
        base = self._repository(pull.repository)
        self._hosting.update_head_of(pull, base, head, commit)
        base_sha = self._head_of(base, pull.base_branch)
        emptied = base_sha is not None and self._git.is_ancestor(self._hosting.path(base), commit, base_sha)
        before, pull.head_sha = pull.head_sha, commit
        pull.base_sha = base_sha or pull.base_sha
        self._changed(pull)
        details = {"before": before, "after": commit}
        self._announce(PullRequestEvent("synchronize", pull, by, details))
        if emptied:
            self.close(pull, by)

    def _follow_base(
        self, pull: PullRequest, base: Repository, moved: tuple[str | None, str | None], by: str
    ) -> None:
        before, after = moved
        if after is None:
            self.close(pull, by)
            return
        if self._git.is_ancestor(self._hosting.path(base), pull.head_sha, after):
            pull.base_sha = before or pull.base_sha
            self._merged(pull, by, self._brought_by(base, pull.head_sha, before, after))

    def _brought_by(self, base: Repository, head: str, before: str | None, after: str) -> str:
        """The first commit on the base branch that contains ``head``: a merge, or ``head`` itself."""
        path = self._hosting.path(base)
        known = (f"^{before}",) if before else ()
        branch = self._git.run(path, "rev-list", "--first-parent", "--reverse", after, *known).split()
        containing = {head, *self._git.run(path, "rev-list", "--ancestry-path", f"{head}..{after}").split()}
        return next((commit for commit in branch if commit in containing), after)

    def _merged(self, pull: PullRequest, by: str, commit: str) -> None:
        pull.state, pull.closed_by, pull.merged_by, pull.merge_commit_sha = "closed", by, by, commit
        pull.closed_at = pull.merged_at = now()
        self._changed(pull)
        self._announce(PullRequestEvent("closed", pull, by))

    def _changed(self, pull: PullRequest) -> None:
        pull.updated_at = now()
        self._state.save()

    def _head_of(self, repository: Repository, branch: str) -> str | None:
        if not repository.ready:
            return None
        return self._git.commit_of(self._hosting.path(repository), f"refs/heads/{branch}")

    def _repository(self, full_name: str) -> Repository:
        repository = self._state.repository(full_name)
        if repository is None:
            raise not_found()
        return repository
