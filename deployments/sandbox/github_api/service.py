"""Everything behind the routes, put together once, and what a caller may see of it."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.sandbox.github_api.accounts import Accounts, Permission, reaches
from deployments.sandbox.github_api.answers import Answers, PullRequestDetails
from deployments.sandbox.github_api.answers_git import GitAnswers
from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.diff import FileChange, changes
from deployments.sandbox.github_api.forks import Forks
from deployments.sandbox.github_api.hosting import Hosting
from deployments.sandbox.github_api.limits import Limiter
from deployments.sandbox.github_api.problems import forbidden, not_found
from deployments.sandbox.github_api.pull_requests import PullRequests
from deployments.sandbox.github_api.state import PullRequest, Repository, State


@dataclass(frozen=True)
class Service:
    """What the routes work with.

    Attributes:
        reviewer: the user as whom the buttons of the pages act.
    """

    state: State
    hosting: Hosting
    accounts: Accounts
    limiter: Limiter
    answers: Answers
    pulls: PullRequests
    forks: Forks
    reviewer: str

    def repository(self, login: str, owner: str, name: str, needed: Permission = "read") -> Repository:
        """A repository, if the user may see it and do with it what is needed.

        Raises:
            Problem: 404 if it is not there or not to be seen, 403 if it is seen but not enough.
        """
        repository = self.state.repository(f"{owner}/{name}")
        if repository is None or not reaches(self.permission(login, repository), "read"):
            raise not_found()
        if needed != "read" and not self.may(login, repository, needed):
            raise forbidden()
        return repository

    def permission(self, login: str, repository: Repository) -> Permission:
        """What a user may do with a repository."""
        return self.accounts.permission(login, repository.owner, repository.name)

    def may(self, login: str, repository: Repository, needed: Permission) -> bool:
        """Whether the user's token reaches as far as ``needed`` (more than to read)."""
        return (
            self.accounts.may_write_with_token(login)
            and not repository.archived
            and reaches(self.permission(login, repository), needed)
        )

    def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """A pull request of a repository.

        Raises:
            Problem: 404.
        """
        pull = self.state.pull_request(repository.full_name, number)
        if pull is None:
            raise not_found()
        return pull

    def head_repository(self, pull: PullRequest) -> Repository:
        """Where the proposed branch of a pull request is."""
        head = self.state.repository(pull.head_repository)
        if head is None:
            raise not_found()
        return head

    def head_exists(self, pull: PullRequest) -> bool:
        """Whether the proposed branch is still there."""
        head = self.state.repository(pull.head_repository)
        if head is None or not head.ready:
            return False
        reference = f"refs/heads/{pull.head_branch}"
        return self.hosting.git.commit_of(self.hosting.path(head), reference) is not None

    def about(self, login: str, repository: Repository) -> Json:
        """The full answer about a repository."""
        parent = self.state.repository(repository.parent) if repository.parent else None
        return self.answers.full_repository(
            *(repository, self.permission(login, repository), parent),
            forks=len(self.state.forks_of(repository.full_name)),
            open_pulls=sum(pull.state == "open" for pull in self.state.pull_requests(repository.full_name)),
        )

    def about_pull_request(
        self, repository: Repository, pull: PullRequest, *, try_merge: bool = True
    ) -> Json:
        """The full answer about a pull request.

        Without ``try_merge`` it does not say whether it merges: GitHub finds out after it has answered.
        """
        path = self.hosting.path(repository)
        commits = self.hosting.git.run(path, "rev-list", "--count", f"{pull.base_sha}..{pull.head_sha}")
        details = PullRequestDetails(
            test_merge=self.pulls.test_merge(pull) if try_merge else None,
            tried=try_merge,
            comments=len(self.state.comments(repository.full_name, pull.number)),
            commits=int(commits),
            changes=self.changes(repository, pull),
        )
        return self.answers.full_pull_request(pull, repository, self.head_repository(pull), details)

    def changes(self, repository: Repository, pull: PullRequest) -> list[FileChange]:
        """The files that a pull request changes."""
        return changes(self.hosting.git, self.hosting.path(repository), pull.base_sha, pull.head_sha)

    def in_git(self, repository: Repository) -> GitAnswers:
        """Answers about what is in a repository."""
        return GitAnswers(self.answers, self.hosting.git, repository, self.hosting.path(repository))
