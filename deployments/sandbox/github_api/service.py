"""Everything behind the routes, put together once, and what a caller may see of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from deployments.sandbox.github_api.accounts import Accounts, Permission, reaches
from deployments.sandbox.github_api.answers import Answers, Json, PullRequestDetails
from deployments.sandbox.github_api.answers_git import GitAnswers
from deployments.sandbox.github_api.diff import FileChange, changes
from deployments.sandbox.github_api.hosting import Hosting
from deployments.sandbox.github_api.limits import Limiter
from deployments.sandbox.github_api.problems import custom, forbidden, not_found
from deployments.sandbox.github_api.pull_requests import PullRequests
from deployments.sandbox.github_api.state import PullRequest, Repository, State

_FORKS = "https://docs.github.com/rest/repos/forks#create-a-fork"


@dataclass(frozen=True)
class Service:
    """What the routes work with.

    Attributes:
        reviewer: the user as whom the buttons of the pages act.
        fork_seconds: how long after its creation a fork gets its Git data.
    """

    state: State
    hosting: Hosting
    accounts: Accounts
    limiter: Limiter
    answers: Answers
    pulls: PullRequests
    reviewer: str
    fork_seconds: float

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

    def fork(self, parent: Repository, owner: str, name: str | None) -> Repository:
        """Make a fork, or find the one that the owner has; its Git data arrives later.

        Raises:
            Problem: 403 if the parent is the owner's own repository.
        """
        with self.state.lock:
            for fork in self.state.forks_of(parent.full_name):
                if fork.owner.lower() == owner.lower():
                    return fork
            if parent.owner.lower() == owner.lower():
                raise custom("Repository", "A repository cannot be forked by its owner.", _FORKS)
            fork = Repository(
                id=self.state.next_id(),
                owner=owner,
                name=self._free_name(owner, name or parent.name),
                default_branch=parent.default_branch,
                parent=parent.full_name,
                ready=False,
            )
            self.state.add(fork)
        self._fill_later(parent, fork)
        return fork

    def finish_forks(self) -> None:
        """Go on with the forks that an earlier process did not fill."""
        for fork in self.state.repositories:
            parent = self.state.repository(fork.parent) if fork.parent and not fork.ready else None
            if parent is not None:
                self._fill_later(parent, fork)

    def _fill_later(self, parent: Repository, fork: Repository) -> None:
        timer = threading.Timer(self.fork_seconds, self._fill, args=(parent, fork))
        timer.daemon = True
        timer.start()

    def _fill(self, parent: Repository, fork: Repository) -> None:
        self.hosting.fork(parent, fork)
        with self.state.lock:
            fork.ready = True
            self.state.save()

    def _free_name(self, owner: str, name: str) -> str:
        # GitHub does not refuse a name that is taken by another repository: it counts.
        wanted, count = name, 0
        while self.state.repository(f"{owner}/{wanted}") is not None:
            count += 1
            wanted = f"{name}-{count}"
        return wanted
