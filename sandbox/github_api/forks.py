"""Forks: answered for at once, filled a little later, as on GitHub."""

from __future__ import annotations

import threading

from sandbox.github_api.hosting import Hosting
from sandbox.github_api.state import Repository


class Forks:
    """Makes forks. ``seconds`` is how long after its creation one gets its Git data."""

    def __init__(self, repositories: list[Repository], hosting: Hosting, seconds: float) -> None:
        self._repositories = repositories
        self._hosting = hosting
        self._seconds = seconds
        self._timers: list[threading.Timer] = []

    def find(self, parent: Repository, owner: str) -> Repository | None:
        """The fork that an owner has of a repository."""
        for fork in self._repositories:
            if fork.parent is parent and fork.owner.lower() == owner.lower():
                return fork
        return None

    def make(self, parent: Repository, owner: str) -> Repository:
        """Make a fork, or find the one that the owner has."""
        found = self.find(parent, owner)
        if found is not None:
            return found
        fork = Repository(owner, parent.name, parent.default_branch, parent)
        self._repositories.append(fork)
        timer = threading.Timer(self._seconds, self._hosting.clone, args=(self._hosting.path(parent), fork))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return fork

    def stop(self) -> None:
        """Begin no more, and let what has begun end."""
        while self._timers:
            timer = self._timers.pop()
            timer.cancel()
            timer.join()
