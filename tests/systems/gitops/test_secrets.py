"""The token reaches the server that it is for, and nothing else; the person's own Git plays no part."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from runbook.errors import AccessDenied, Conflict, EnablementError, TransientError, UnexpectedAnswer
from runbook.gitops import FileEdit
from systems.git_command import GitCommand, Remote
from systems.git_refusals import GitError
from systems.gitops import GitOpsClone
from tests.systems.gitops.git_server import TOKEN, GitServer, propose_in, script, serve

EDIT = FileEdit("new.yaml", None, "a: b\n")
SECRET = TOKEN.get_secret_value()


def _run(server: GitServer) -> None:
    with server.clone() as clone:
        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        propose_in(clone, [EDIT])


def test_no_command_line_has_the_token(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "commands"
    folder = tmp_path / "bin"
    folder.mkdir()
    script(folder / "git", f'echo "$@" >> "{log}"\nexec "{shutil.which("git")}" "$@"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    _run(server)

    commands = log.read_text()
    assert "clone --bare" in commands
    assert "push --porcelain" in commands
    assert SECRET not in commands


def test_the_persons_git_plays_no_part(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "helper-was-asked"
    trace = tmp_path / "trace"
    home = tmp_path / "person"
    home.mkdir()
    script(home / "helper", f'cat >> "{asked}"')
    (home / ".gitconfig").write_text(
        f"[credential]\n  helper = {home / 'helper'}\n[core]\n  askPass = {home / 'helper'}\n"
        f'[url "http://127.0.0.1:9/"]\n  insteadOf = {server.address}/\n'
        "[fetch]\n  fsckObjects = maybe\n"
    )
    for name, value in {
        **dict.fromkeys(("HOME", "GIT_DIR", "GIT_WORK_TREE"), str(home)),
        **dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
        "GIT_ASKPASS": str(home / "helper"),
        "GIT_INDEX_FILE": str(home / "index"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": str(home / "helper"),
        "GIT_TRACE_CURL": str(trace),
        "GIT_TRACE_REDACT": "0",
        "GIT_SSL_NO_VERIFY": "1",
    }.items():
        monkeypatch.setenv(name, value)

    _run(server)
    with pytest.raises(AccessDenied), server.clone(SecretStr("wrong")):
        pass

    assert not asked.exists()
    assert not trace.exists()
    assert [path.name for path in home.iterdir() if path.name not in {".gitconfig", "helper"}] == []


def test_errors_do_not_have_the_token_even_when_the_server_says_it(server: GitServer) -> None:
    server.hook(f"echo 'bad token {SECRET}' >&2; exit 1")

    with pytest.raises(Conflict) as raised:
        _run(server)

    assert "bad token ***" in str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.fixture
def elsewhere(repositories: Path, tmp_path: Path) -> Iterator[GitServer]:
    """Another server, which asks for a password as well."""
    with serve(repositories, tmp_path / "elsewhere") as git:
        yield git


def test_a_server_that_we_are_sent_on_to_does_not_get_the_token(
    server: GitServer, elsewhere: GitServer
) -> None:
    server.location = elsewhere.address
    server.answers["GET git-upload-pack"] = 302

    with pytest.raises(UnexpectedAnswer, match="Redirects are not followed"), server.clone():
        pass

    assert elsewhere.logins == []


def test_a_fork_on_another_server_does_not_get_the_repositorys_token(
    server: GitServer, elsewhere: GitServer
) -> None:
    with pytest.raises(EnablementError):
        server.propose(push_url=elsewhere.url())

    assert set(elsewhere.logins) == {None}


def test_a_server_to_which_git_goes_by_itself_does_not_get_the_token(
    server: GitServer, elsewhere: GitServer, tmp_path: Path
) -> None:
    # As it does for what a partial clone lacks, in the middle of a push to a fork.
    command = GitCommand(tmp_path, timeout=30)
    command.run("init", "--quiet", "--bare", str(command.folder))
    with pytest.raises(GitError, match="ls-remote"):
        command.run("ls-remote", elsewhere.url(), remote=Remote(server.url(), TOKEN))

    assert set(elsewhere.logins) == {None}


def test_no_process_is_left_over(server: GitServer, silent: str) -> None:
    _run(server)
    with pytest.raises(TransientError), GitOpsClone.open(silent, "main", TOKEN, timeout=0.5):
        pass

    children = psutil.Process().children(recursive=True)
    assert not [child.cmdline() for child in children if child.name().startswith("git")]
