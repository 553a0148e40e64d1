"""A GitHub stand-in for each test, a client of it, and a server that answers whatever a test wants."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.github_api import GitHubApi
from systems.github import GitHub
from tests.github_checkout import USERS, Caller, Checkout, seed

TOKEN = "ghp_sentinel0of0the0token0that0nobody0may0see"


@pytest.fixture(scope="session")
def gitops_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed(tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="session")
def shared_stand_in(tmp_path_factory: pytest.TempPathFactory, gitops_seed: Path) -> Iterator[GitHubApi]:
    repositories = {"sandbox/gitops": gitops_seed, "reviewer/gitops": gitops_seed}
    with GitHubApi(tmp_path_factory.mktemp("github"), repositories, USERS, fork_seconds=0.3) as running:
        yield running


@pytest.fixture
def stand_in(shared_stand_in: GitHubApi) -> GitHubApi:
    shared_stand_in.reset()
    return shared_stand_in


def client_of(stand_in: GitHubApi, login: str = "pipeline", repository: str = "sandbox/gitops") -> GitHub:
    return GitHub(repository, SecretStr(stand_in.token_of(login)), api_url=stand_in.api_url)


@pytest.fixture
def github(stand_in: GitHubApi) -> Iterator[GitHub]:
    with client_of(stand_in) as client:
        yield client


@pytest.fixture
def reviewer(stand_in: GitHubApi) -> Caller:
    return Caller(stand_in, "reviewer")


@pytest.fixture
def checkout(stand_in: GitHubApi, tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path, token=stand_in.token_of("pipeline"))
    return made.clone(stand_in.clone_url("sandbox/gitops"))


def http(
    status: int, body: Any, headers: Mapping[str, str] | None = None, length: int | None = None
) -> bytes:
    """An answer as it goes over the wire; ``length`` is what it says of its body's."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {"Content-Length": str(len(content) if length is None else length), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} Status", *(f"{k}: {v}" for k, v in (said | dict(headers or {})).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass
class Scripted:
    """A server whose next answers are ``answers``, as bytes; the last one is repeated."""

    url: str
    answers: list[bytes] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def client(self, timeout: float = 5) -> GitHub:
        return GitHub("sandbox/gitops", SecretStr(TOKEN), api_url=self.url, timeout=timeout)

    @property
    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [" ".join(request.split(" ")[:2]) for request in self.requests]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}/api/v3")

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as stream:
                    head = b""
                    while not head.endswith(b"\r\n\r\n") and (line := stream.readline()):
                        head += line
                    script.requests.append(head.decode("latin-1"))
                    answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                    try:
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)
                        while stream.read(4096):
                            continue
                    except OSError:
                        continue  # the client has had enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield script
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)
