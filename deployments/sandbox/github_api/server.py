"""The stand-in as a whole: in this process, on the loopback address only, until it is closed."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import uvicorn

from deployments.sandbox.github_api.accounts import DEFAULT_USERS, Accounts, User
from deployments.sandbox.github_api.answers import Answers
from deployments.sandbox.github_api.application import Exchange, application
from deployments.sandbox.github_api.events import Event
from deployments.sandbox.github_api.forks import Forks
from deployments.sandbox.github_api.git import Git
from deployments.sandbox.github_api.hosting import Hosting
from deployments.sandbox.github_api.limits import Limiter, RateLimits
from deployments.sandbox.github_api.payloads import payload
from deployments.sandbox.github_api.pull_requests import PullRequests
from deployments.sandbox.github_api.service import Service
from deployments.sandbox.github_api.state import Repository, State
from deployments.sandbox.github_api.webhooks import Deliveries, Delivery, Webhook

_START_SECONDS = 30
_STOP_SECONDS = 2


class GitHubApi:
    """A GitHub on 127.0.0.1.

    Args:
        state_dir: everything is kept in here, tokens in ``tokens.json`` (0600). A stand-in that is started
            again on the same folder goes on with the same repositories, pull requests and tokens.
        repositories: ``owner/name`` and what to fill it with: the path of a repository, a bundle, a URL,
            or None for one with a single empty commit on ``main``. A seed is cloned, never written to.
        users: by login; each gets a token.
        port: 0 takes a free one.
        reviewer: the user as whom the buttons of the pages act.
        fork_seconds: how long after its creation a fork gets its Git data.
        delete_branch_on_merge: of the repositories named here.
        keep_requests: collect every request in `requests`; off where the stand-in runs for long.

    Raises:
        OSError: if the port is taken.
        GitError: if a seed cannot be cloned.
    """

    def __init__(
        self,
        state_dir: Path,
        repositories: Mapping[str, str | Path | None],
        users: Mapping[str, User] = DEFAULT_USERS,
        *,
        port: int = 0,
        rate_limits: RateLimits | None = None,
        webhooks: Sequence[Webhook] = (),
        reviewer: str = "reviewer",
        fork_seconds: float = 0.3,
        delete_branch_on_merge: bool = False,
        keep_requests: bool = True,
    ) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        home = state_dir / "home"
        home.mkdir(exist_ok=True)
        self._state = State(state_dir / "state.json")
        self._accounts = Accounts.at(state_dir / "tokens.json", users)
        self._limiter = Limiter(rate_limits or RateLimits())
        self._deliveries = Deliveries(webhooks)
        hosting = Hosting(state_dir, Git(home))
        self._socket = _listen(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[Exchange] = []
        self._service = Service(
            state=self._state,
            hosting=hosting,
            accounts=self._accounts,
            limiter=self._limiter,
            answers=Answers(self.url),
            pulls=PullRequests(self._state, hosting, self._announce),
            reviewer=reviewer,
            forks=Forks(self._state, hosting, fork_seconds),
        )
        self._log = _log(state_dir / "requests.log")
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(self._service, self.requests if keep_requests else None, self._log),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="GitHub stand-in", daemon=True
        )
        self._seeds = dict(repositories)
        self._delete_branch_on_merge = delete_branch_on_merge
        self._fill()

    @property
    def api_url(self) -> str:
        """Where the REST API begins, without a trailing slash."""
        return self._service.answers.api

    def clone_url(self, full_name: str) -> str:
        """Where a repository can be cloned from and pushed to, without credentials."""
        return f"{self.url}/{full_name}.git"

    def page_url(self, full_name: str) -> str:
        """The page with the repository's pull requests."""
        return f"{self.url}/{full_name}/pulls"

    def default_branch(self, full_name: str) -> str:
        """The branch that pull requests go to."""
        repository = self._state.repository(full_name)
        if repository is None:
            raise KeyError(full_name)
        return repository.default_branch

    def token_of(self, login: str) -> str:
        """The token of a user."""
        return self._accounts.token_of(login)

    def path_of(self, full_name: str) -> Path:
        """The bare repository on disk: to look into, not to write to."""
        repository = self._state.repository(full_name)
        if repository is None:
            raise KeyError(full_name)
        return self._service.hosting.path(repository)

    @property
    def rate_limits(self) -> RateLimits:
        """What each user may do; may be set while the stand-in runs."""
        return self._limiter.limits

    @rate_limits.setter
    def rate_limits(self, limits: RateLimits) -> None:
        self._limiter.limits = limits

    @property
    def webhooks(self) -> list[Webhook]:
        """Where events are delivered to; may be changed while the stand-in runs."""
        return self._deliveries.webhooks

    @property
    def deliveries(self) -> list[Delivery]:
        """The deliveries so far."""
        return self._deliveries.done

    def start(self) -> None:
        """Begin to answer."""
        self._service.forks.resume()
        self._deliveries.start()
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                msg = f"the GitHub stand-in did not start on {self.url}"
                raise RuntimeError(msg)
            time.sleep(0.01)

    def close(self) -> None:
        """Stop answering and release the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
            self._deliveries.stop()
        self._service.forks.stop()
        self._socket.close()
        for handler in self._log.handlers:
            handler.close()

    def __enter__(self) -> GitHubApi:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def reset(self) -> None:
        """Go back to the seeds: no pull request, no fork, no webhook, nothing counted.

        Address and tokens stay. For tests that share a stand-in; nothing may be under way.
        """
        self._service.forks.stop()
        self._deliveries.forget()
        with self._state.lock:
            self._state.forget()
            self._service.hosting.forget()
            self._limiter.forget()
            self.requests.clear()
            self._fill()

    def _fill(self) -> None:
        """Make the repositories that are not there yet."""
        for full_name, seed in self._seeds.items():
            known = self._state.repository(full_name)
            if known is not None:
                known.delete_branch_on_merge = self._delete_branch_on_merge
                continue
            owner, name = full_name.split("/")
            repository = Repository(
                id=self._state.next_id(),
                owner=owner,
                name=name,
                default_branch="main",
                delete_branch_on_merge=self._delete_branch_on_merge,
            )
            self._service.hosting.create(repository, seed)
            self._state.add(repository)

    def _announce(self, event: Event) -> None:
        if self._deliveries.webhooks:
            self._deliveries.send(*payload(self._service, event))


def _log(path: Path) -> logging.Logger:
    """A logger of its own that writes to the file only."""
    log = logging.Logger(f"{__name__}.requests")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    return log


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
