"""A merge service with a watcher that writes down what it is asked, and somebody who sends deliveries."""

from __future__ import annotations

import hashlib
import hmac
import io
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from change.gate.watch import Round, Watch
from connections import GitOpsRepository
from deployments.merge_service.loop import Loop
from deployments.merge_service.webhook import application
from sandbox.prefect_server import PrefectServer
from tests.deployments.merge_service.payloads import REPOSITORY, encoded, push
from tests.eventually import eventually

SECRET = b"the secret of both sides, 32 long"
SENTINEL = "operate-first/sentinel"
SAMPLES = "Codertocat/Hello-World"
"""The repository of GitHub's own samples."""
SECONDS = 30.0
NOTHING = Round(waiting=0)


class Looks(Watch):
    """A watch that finds what the test tells it, and remembers what it was asked."""

    def __init__(
        self, finds: Callable[[int, str | None], Round] = lambda _number, _repository: NOTHING
    ) -> None:
        """Args: finds: called with the number of the look, from 1, and the repository; it may raise."""
        super().__init__((), logging.getLogger("looks"))
        self.finds = finds
        self.asked: list[str | None] = []
        self.is_wanted_elsewhere: Callable[[], bool]

    def look(
        self, repository: str | None = None, *, is_wanted_elsewhere: Callable[[], bool] = lambda: False
    ) -> Round:
        self.is_wanted_elsewhere = is_wanted_elsewhere
        self.asked.append(repository)
        return self.finds(len(self.asked), repository)

    def wait_for(self, count: int) -> list[str | None]:
        """The repositories of the first ``count`` looks."""
        eventually(lambda: len(self.asked) >= count, lambda: f"{self.asked}, not {count} looks")
        return self.asked[:count]


def sign(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Sender:
    """GitHub, as far as it sends deliveries; over one connection that is kept."""

    def __init__(self, url: str, looks: Looks) -> None:
        self.client = httpx.Client(base_url=url, timeout=SECONDS, trust_env=False)
        self._looks = looks

    def send(self, event: str, payload: dict[str, Any] | bytes, **headers: str | None) -> httpx.Response:
        """Deliver; ``headers`` (with ``_`` for ``-``) replace what GitHub sends, None leaves one out."""
        body = payload if isinstance(payload, bytes) else encoded(payload)
        sent: dict[str, str | None] = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": str(uuid.uuid4()),
            "x-hub-signature": "sha1=" + hmac.new(SECRET, body, hashlib.sha1).hexdigest(),
            "x-hub-signature-256": sign(body),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name.encode(): value.encode() for name, value in sent.items() if value is not None}
        return self.client.post("/webhook", content=body, headers=kept)

    def looked_at(self) -> list[str | None]:
        """Everything that was looked at because of deliveries until now.

        A delivery about another repository is sent and waited for: what had been asked before it was looked
        at together with it at the latest.
        """
        known = len(self._looks.asked)
        answer = self.send("push", push("refs/heads/main", full_name=SENTINEL))
        assert answer.json() == {"message": "looking"}
        eventually(lambda: SENTINEL in self._looks.asked[known:], lambda: str(self._looks.asked))
        return [asked for asked in self._looks.asked if asked not in {None, SENTINEL}]


@pytest.fixture(scope="session")
def connected(prefect_harness: PrefectServer) -> None:
    """Connections of some repositories; the last is the tests' own sentinel."""
    repositories = {"apps": REPOSITORY, "samples": SAMPLES, "sentinel": SENTINEL}
    for name, repository in repositories.items():
        block = GitOpsRepository(
            url=f"https://github.com/{repository}.git",
            repository=repository,
            base_branch="main" if repository == SENTINEL else "master",
            token=SecretStr("a-token"),
        )
        block.save(f"merge-service-{name}", overwrite=True, _sync=True)  # type: ignore[call-arg]


class Log:
    """What the service writes to its log."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.logger = logging.Logger("merge_service of a test")
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture
def log() -> Log:
    return Log()


@dataclass
class Running:
    """A service under way in a thread of this process."""

    url: str
    loop: Loop
    looks: Looks
    log: Log

    @property
    def health(self) -> httpx.Response:
        return httpx.get(f"{self.url}/healthz", timeout=SECONDS, trust_env=False)


@contextmanager
def serving(looks: Looks, log: Log, pause: float = 0.01, secret: bytes | None = SECRET) -> Iterator[Running]:
    """A service that looks once by itself, and otherwise when it is asked to."""
    loop = Loop(looks, 3600.0, log.logger, pause)
    listener = socket.create_server(("127.0.0.1", 0))
    app = application(secret, loop, log.logger)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    loop.start()
    eventually(lambda: server.started, lambda: log.text)
    try:
        yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", loop, looks, log)
    finally:
        loop.stop(SECONDS)
        server.should_exit = True
        thread.join(SECONDS)
        listener.close()


@pytest.fixture(scope="session")
def running(connected: None) -> Iterator[Running]:
    """One that the tests share."""
    with serving(Looks(), Log()) as service:
        service.looks.wait_for(1)
        yield service


@pytest.fixture
def sender(running: Running) -> Iterator[Sender]:
    made = Sender(running.url, running.looks)
    made.looked_at()  # what an earlier test has caused is over then
    running.looks.asked.clear()
    yield made
    made.client.close()
