"""The token reaches the server that it is for, and nothing else; the person's own Git plays no part."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from pydantic import SecretStr

from runbook.errors import AccessDenied, Conflict, EnablementError, TransientError
from runbook.gitops import FileEdit
from systems.gitops import GitOpsClone

if TYPE_CHECKING:
    from tests.systems.gitops.conftest import GitServer

EDIT = FileEdit("new.yaml", None, "a: b\n")


def _run(server: GitServer, token: SecretStr) -> None:
    with GitOpsClone.open(server.url(), "main", token) as clone:
        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        clone.propose("proposed", [EDIT], "Add a file", author_name="P", author_email="p@example.com")


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_no_command_line_has_the_token(
    server: GitServer, token: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "commands"
    folder = tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("git")
    _script(folder / "git", f'echo "$@" >> "{log}"\nexec "{real}" "$@"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    _run(server, token)

    commands = log.read_text()
    assert "clone --bare" in commands
    assert "push --porcelain" in commands
    assert token.get_secret_value() not in commands


def test_the_persons_git_plays_no_part(
    server: GitServer, token: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "helper-was-asked"
    trace = tmp_path / "trace"
    home = tmp_path / "person"
    home.mkdir()
    _script(home / "helper", f'cat >> "{asked}"')
    (home / ".gitconfig").write_text(
        f"[credential]\n  helper = {home / 'helper'}\n[core]\n  askPass = {home / 'helper'}\n"
        f'[url "http://127.0.0.1:9/"]\n  insteadOf = {server.url().rpartition("/")[0]}/\n'
        "[fetch]\n  fsckObjects = maybe\n"
    )
    for name, value in {
        "HOME": str(home),
        "GIT_ASKPASS": str(home / "helper"),
        "GIT_DIR": str(home),
        "GIT_WORK_TREE": str(home),
        "GIT_INDEX_FILE": str(home / "index"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": str(home / "helper"),
        "GIT_TRACE_CURL": str(trace),
        "GIT_TRACE_REDACT": "0",
        "GIT_SSL_NO_VERIFY": "1",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)

    _run(server, token)
    with pytest.raises(AccessDenied):
        GitOpsClone.open(server.url(), "main", SecretStr("wrong"))

    assert not asked.exists()
    assert not trace.exists()
    assert [path.name for path in home.iterdir() if path.name not in {".gitconfig", "helper"}] == []


def test_errors_do_not_have_the_token_even_when_the_server_says_it(
    server: GitServer, token: SecretStr
) -> None:
    secret = token.get_secret_value()
    _script(server.root / "gitops.git" / "hooks" / "pre-receive", f"echo 'bad token {secret}' >&2; exit 1")

    with pytest.raises(Conflict) as raised:
        _run(server, token)

    assert "bad token ***" in str(raised.value)
    assert secret not in "".join(traceback.format_exception(raised.value))


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str | None]]]:
    """Another server that asks everybody for a password: its address, and what it was told."""
    told: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the test's output readable."""

        def do_GET(self) -> None:
            told.append(self.headers.get("Authorization"))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="elsewhere"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}", told
        http.shutdown()
        thread.join()


def test_a_server_that_we_are_sent_on_to_does_not_get_the_token(
    server: GitServer, token: SecretStr, elsewhere: tuple[str, list[str | None]]
) -> None:
    server.location, told = elsewhere
    server.answers["GET git-upload-pack"] = 302

    with pytest.raises(AccessDenied):
        GitOpsClone.open(server.url(), "main", token)

    assert told
    assert set(told) == {None}


def test_a_fork_on_another_server_does_not_get_the_repositorys_token(
    server: GitServer, token: SecretStr, elsewhere: tuple[str, list[str | None]]
) -> None:
    address, told = elsewhere
    with GitOpsClone.open(server.url(), "main", token) as clone, pytest.raises(EnablementError):
        clone.propose(
            *("proposed", [EDIT], "Add a file"),
            author_name="P",
            author_email="p@example.com",
            push_url=f"{address}/fork.git",
        )

    assert told
    assert set(told) == {None}


def test_no_process_is_left_over(server: GitServer, token: SecretStr) -> None:
    _run(server, token)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientError):
        GitOpsClone.open(f"http://127.0.0.1:{silent.getsockname()[1]}/a.git", "main", token, timeout=0.5)

    children = psutil.Process().children(recursive=True)
    assert not [child.cmdline() for child in children if child.name().startswith("git")]
