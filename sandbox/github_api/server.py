"""The stand-in as a whole: in this process, on the loopback address only, until it is left."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from sandbox.certificates import write_private
from sandbox.github_api.accounts import DEFAULT_USERS, Accounts, User
from sandbox.github_api.application import Exchange, application
from sandbox.github_api.forks import Forks
from sandbox.github_api.hosting import Hosting
from sandbox.github_api.limits import RateLimits
from sandbox.github_api.pull_requests import PullRequests
from sandbox.github_api.service import Service
from sandbox.github_api.state import Repository
from sandbox.github_api.webhooks import Deliveries, Delivery, Webhook

_START_SECONDS = 30
_STOP_SECONDS = 2


class GitHubApi:
    """A GitHub on 127.0.0.1.

    Args:
        state_dir: for the repositories, a log of the requests, and the tokens in ``tokens.json`` (0600).
        repositories: ``owner/name`` and what to fill it with: the path or URL of a repository, which is
            cloned and never written to.
        users: by login; each gets a token.
        fork_seconds: how long after its creation a fork gets its Git data.

    Attributes:
        requests: what was asked so far.
        rules: types of the rules of a branch, by ``owner/name`` and branch; to be changed in place.
        webhooks: where events are delivered to; to be changed in place.
        deliveries: those so far.

    Raises:
        GitError: if a seed cannot be cloned.
    """

    def __init__(
        self,
        state_dir: Path,
        repositories: Mapping[str, str | Path],
        users: Mapping[str, User] = DEFAULT_USERS,
        *,
        fork_seconds: float = 0.3,
    ) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        self._seeds = dict(repositories)
        self._socket = _listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.api_url = f"{self.url}/api/v3"
        self.requests: list[Exchange] = []
        self._sender = Deliveries()
        self.webhooks: list[Webhook] = self._sender.webhooks
        self.deliveries: list[Delivery] = self._sender.done
        known: list[Repository] = []
        hosting, accounts = Hosting(state_dir), Accounts(users)
        write_private(state_dir / "tokens.json", json.dumps(accounts.tokens, indent=2) + "\n")
        self._service = Service(
            url=self.url,
            repositories=known,
            hosting=hosting,
            accounts=accounts,
            pulls=PullRequests(known, hosting, self._sender.announce),
            forks=Forks(known, hosting, fork_seconds),
        )
        self.rules = self._service.rules
        self._log = _log(state_dir / "requests.log")
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(self._service, self.requests, self._log),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="GitHub stand-in", daemon=True
        )
        self._fill()

    def clone_url(self, full_name: str) -> str:
        """Where a repository can be cloned from and pushed to, without credentials."""
        return f"{self.url}/{full_name}.git"

    def default_branch(self, full_name: str) -> str:
        """The branch that pull requests go to."""
        return self._named(full_name).default_branch

    def token_of(self, login: str) -> str:
        """The token of a user."""
        return self._service.accounts.tokens[login]

    def path_of(self, full_name: str) -> Path:
        """The bare repository on disk: to look into, not to write to."""
        return self._service.hosting.path(self._named(full_name))

    @property
    def rate_limits(self) -> RateLimits:
        """What each user may do; may be set while the stand-in runs."""
        return self._service.limiter.limits

    @rate_limits.setter
    def rate_limits(self, limits: RateLimits) -> None:
        self._service.limiter.limits = limits

    def __enter__(self) -> GitHubApi:
        """Begin to answer."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                msg = f"the GitHub stand-in did not start on {self.url}"
                raise RuntimeError(msg)
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering and release the port."""
        self._server.should_exit = True
        self._thread.join()
        self._sender.stop()
        self._service.forks.stop()
        self._socket.close()
        for handler in self._log.handlers:
            handler.close()

    def reset(self) -> None:
        """Go back to the seeds: no pull request, no fork, no webhook, nothing counted.

        Address and tokens stay. For tests that share a stand-in; nothing may be under way.
        """
        self._service.forks.stop()
        self._sender.forget()
        self._service.repositories.clear()
        self._service.hosting.forget()
        self._service.limiter.forget()
        self.requests.clear()
        self._fill()

    def _fill(self) -> None:
        for full_name, seed in self._seeds.items():
            owner, name = full_name.split("/")
            repository = Repository(owner, name)
            self._service.hosting.create(repository, seed)
            self._service.repositories.append(repository)

    def _named(self, full_name: str) -> Repository:
        repository = self._service.named(full_name)
        if repository is None:
            raise KeyError(full_name)
        return repository


def _log(path: Path) -> logging.Logger:
    """A logger of its own that writes to the file only."""
    log = logging.Logger(f"{__name__}.requests")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    return log


def _listen() -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener
