"""A merge service with a watcher that writes down what it is asked, and somebody who sends deliveries."""

from __future__ import annotations

import hashlib
import hmac
import io
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connections import GitOpsRepository
from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings
from deployments.sandbox.prefect_server import PrefectServer
from runbook.errors import EnablementError
from tests.deployments.merge_service.payloads import REPOSITORY, encoded, push

SECRET = b"the secret of both sides, 32 long"
SENTINEL = "operate-first/sentinel"
SAMPLES = "Codertocat/Hello-World"
"""The repository of GitHub's own samples."""
SECONDS = 30.0


@dataclass(frozen=True)
class Found:
    """What a look finds."""

    waiting: int = 0
    woken: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    problems: tuple[EnablementError, ...] = ()
    unfinished: bool = False


@dataclass
class Looks:
    """A watcher that finds what the test tells it, and remembers what it was asked.

    ``finds`` is called with the number of the look, from 1, and the repository; it may raise.
    """

    finds: Callable[[int, str | None], Found] = lambda _number, _repository: Found()
    not_before: float | None = None
    asked: list[str | None] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    is_wanted_elsewhere: Callable[[], bool] = lambda: False

    def look(
        self, repository: str | None = None, *, is_wanted_elsewhere: Callable[[], bool] = lambda: False
    ) -> Found:
        self.is_wanted_elsewhere = is_wanted_elsewhere
        self.at.append(time.monotonic())
        self.asked.append(repository)
        return self.finds(len(self.asked), repository)

    def wait_for(self, count: int) -> list[str | None]:
        """The repositories of the first ``count`` looks."""
        eventually(lambda: len(self.asked) >= count, lambda: f"{self.asked}, not {count} looks")
        return self.asked[:count]


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def sign(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def unique(payload: dict[str, Any]) -> dict[str, Any]:
    """With something that no other payload has: the tests share a service, which knows bodies again."""
    return payload | {"unique": str(uuid.uuid4())}


class Sender:
    """GitHub, as far as it sends deliveries; over one connection that is kept."""

    def __init__(self, url: str, looks: Looks) -> None:
        self.client = httpx.Client(base_url=url, timeout=SECONDS, trust_env=False)
        self._looks = looks

    def send(self, event: str, payload: dict[str, Any] | bytes, **headers: str | None) -> httpx.Response:
        """Deliver; ``headers`` (with ``_`` for ``-``) replace what GitHub sends, None leaves one out."""
        body = payload if isinstance(payload, bytes) else encoded(unique(payload))
        sent: dict[str, str | None] = {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/044aadd",
            "x-github-event": event,
            "x-github-delivery": str(uuid.uuid4()),
            "x-github-hook-id": "292430182",
            "x-github-hook-installation-target-type": "repository",
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


def connection(repository: str, base_branch: str) -> GitOpsRepository:
    return GitOpsRepository(
        url=f"https://github.com/{repository}.git",
        repository=repository,
        base_branch=base_branch,
        token=SecretStr("a token"),
    )


@pytest.fixture(scope="session")
def connected(prefect_harness: PrefectServer) -> None:
    """Connections of some repositories; the last is the tests' own sentinel."""
    repositories = {"apps": REPOSITORY, "samples": SAMPLES, "sentinel": SENTINEL}
    for name, repository in repositories.items():
        block = connection(repository, "main" if repository == SENTINEL else "master")
        block.save(f"merge-service-{name}", overwrite=True, _sync=True)  # type: ignore[call-arg]


@dataclass
class Log:
    """What the service writes to its log."""

    logger: logging.Logger
    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def new_log() -> Log:
    stream = io.StringIO()
    logger = logging.Logger("merge_service of a test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    return Log(logger, stream)


@pytest.fixture
def log() -> Log:
    return new_log()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return quiet_settings(tmp_path)


def quiet_settings(directory: Path) -> Settings:
    """No look but the first one and those that are asked for."""
    return Settings(secret=SECRET, state_directory=directory / "state", port=0, interval=3600.0, pause=0.01)


@dataclass
class Running:
    """A service that the tests share."""

    service: MergeService
    looks: Looks
    log: Log


@pytest.fixture(scope="session")
def running(connected: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    looks, log = Looks(), new_log()
    with MergeService(quiet_settings(tmp_path_factory.mktemp("service")), looks, log.logger) as service:
        looks.wait_for(1)
        yield Running(service, looks, log)


@pytest.fixture
def sender(running: Running) -> Iterator[Sender]:
    made = Sender(running.service.url, running.looks)
    made.looked_at()  # what an earlier test has caused is over then
    running.looks.asked.clear()
    yield made
    made.client.close()
