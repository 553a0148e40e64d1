"""Forks: answered for at once, filled a little later, as on GitHub."""

from __future__ import annotations

import threading

from deployments.sandbox.github_api.hosting import Hosting
from deployments.sandbox.github_api.problems import custom
from deployments.sandbox.github_api.state import Repository, State

_DOCUMENTATION = "https://docs.github.com/rest/repos/forks#create-a-fork"


class Forks:
    """Makes forks. ``seconds`` is how long after its creation one gets its Git data."""

    def __init__(self, state: State, hosting: Hosting, seconds: float) -> None:
        self._state = state
        self._hosting = hosting
        self._seconds = seconds
        self._timers: list[threading.Timer] = []

    def make(self, parent: Repository, owner: str, name: str | None) -> Repository:
        """Make a fork, or find the one that the owner has.

        Raises:
            Problem: 422 if the parent is the owner's own repository.
        """
        with self._state.lock:
            for fork in self._state.forks_of(parent.full_name):
                if fork.owner.lower() == owner.lower():
                    return fork
            if parent.owner.lower() == owner.lower():
                raise custom("Repository", "A repository cannot be forked by its owner.", _DOCUMENTATION)
            fork = Repository(
                id=self._state.next_id(),
                owner=owner,
                name=self._free_name(owner, name or parent.name),
                default_branch=parent.default_branch,
                parent=parent.full_name,
                ready=False,
            )
            self._state.add(fork)
        self._fill_later(parent, fork)
        return fork

    def resume(self) -> None:
        """Go on with the forks that an earlier process did not fill."""
        for fork in self._state.repositories:
            parent = self._state.repository(fork.parent) if fork.parent and not fork.ready else None
            if parent is not None:
                self._fill_later(parent, fork)

    def stop(self) -> None:
        """Begin no more, and let what has begun end."""
        while self._timers:
            timer = self._timers.pop()
            timer.cancel()
            timer.join()

    def _fill_later(self, parent: Repository, fork: Repository) -> None:
        timer = threading.Timer(self._seconds, self._fill, args=(parent, fork))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _fill(self, parent: Repository, fork: Repository) -> None:
        if not self._hosting.path(fork).exists():
            self._hosting.fork(parent, fork)
        with self._state.lock:
            fork.ready = True
            self._state.save()

    def _free_name(self, owner: str, name: str) -> str:
        # GitHub does not refuse a name that is taken by another repository: it counts.
        wanted, count = name, 0
        while self._state.repository(f"{owner}/{wanted}") is not None:
            count += 1
            wanted = f"{name}-{count}"
        return wanted
