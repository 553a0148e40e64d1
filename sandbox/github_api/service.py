"""Everything behind the routes, put together once, and what a caller may see of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sandbox.github_api.accounts import Accounts, Permission, reaches
from sandbox.github_api.forks import Forks
from sandbox.github_api.hosting import Hosting
from sandbox.github_api.limits import Limiter
from sandbox.github_api.problems import forbidden, not_found
from sandbox.github_api.pull_requests import PullRequests
from sandbox.github_api.state import PullRequest, Repository


@dataclass(frozen=True)
class Service:
    """What the routes work with.

    Attributes:
        url: the stand-in's own, without a trailing slash.
        rules: types of the rules of a branch, by ``owner/name`` and branch. Told, not enforced.
        one_by_one: held by whatever looks at pull requests or changes something.
    """

    url: str
    repositories: list[Repository]
    hosting: Hosting
    accounts: Accounts
    pulls: PullRequests
    forks: Forks
    limiter: Limiter = field(default_factory=Limiter)
    rules: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def named(self, full_name: str) -> Repository | None:
        """A repository by ``owner/name``; capitals do not count, as on GitHub."""
        found = (each for each in self.repositories if each.full_name.lower() == full_name.lower())
        return next(found, None)

    def repository(self, login: str, owner: str, name: str, needed: Permission = "read") -> Repository:
        """A repository, if the user may see it and do with it what is needed.

        Raises:
            Problem: 404 if it is not there or not to be seen, 403 if it is seen but not enough.
        """
        repository = self.named(f"{owner}/{name}")
        if repository is None or self.accounts.permission(login, repository) == "none":
            raise not_found()
        if needed != "read":
            self.demand(login, repository, needed)
        return repository

    def demand(self, login: str, repository: Repository, needed: Permission) -> None:
        """Let the user change something in a repository that is seen.

        Raises:
            Problem: 403 if the user, or the user's token, may only do less than is needed.
        """
        may = reaches(self.accounts.permission(login, repository), needed)
        if not may or self.accounts.users[login].read_only_token:
            raise forbidden()

    def pull_request(self, repository: Repository, number: int) -> PullRequest:
        """A pull request of a repository.

        Raises:
            Problem: 404.
        """
        if not 0 < number <= len(repository.pulls):
            raise not_found()
        return repository.pulls[number - 1]
