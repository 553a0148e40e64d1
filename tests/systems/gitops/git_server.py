"""A real Git server over HTTP that asks for a token, and the repositories on it."""

from __future__ import annotations

import base64
import shutil
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from runbook.gitops import FileEdit, Tree
from sandbox.environment import clean_environment
from systems.git_branch import Proposal
from systems.gitops import GitOpsClone

REPOSITORY = Path(__file__).parents[3] / "sandbox" / "repository"
TOKEN = SecretStr("ghp_0123456789abcdefghijklmnopqrstuvwxyz")
BRANCH = "enable-vault/emea/ember"
KUSTOMIZATION = "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"
NEW = "external-secrets/overlays/emea/ember/kustomization.yaml"
TRAILER = f"Enablement-Change: {BRANCH}"
SIGNED_OFF = "Signed-off-by: Pipeline <pipeline@example.com>"


def edits_of(tree: Tree) -> list[FileEdit]:
    """What is left to do in the seeded repository."""
    before = tree.read(KUSTOMIZATION)
    assert before is not None
    wanted = before.replace("\npatches:", "  - added.yaml\n\npatches:")
    edits = [
        FileEdit(KUSTOMIZATION, before, wanted),
        FileEdit(NEW, tree.read(NEW), "resources:\n  - ../../../base\n"),
    ]
    return [edit for edit in edits if "added.yaml" not in (edit.before or "") and edit.before != edit.after]


def propose_in(clone: GitOpsClone, edits: Sequence[FileEdit] | None = None, **options: Any) -> Proposal:
    given = {
        "message": f"Enable ember\n\n{SIGNED_OFF}",
        "author_name": "Pipeline",
        "author_email": "pipeline@example.com",
        "remaining": edits_of,
        "unclear": lambda _proposal: None,
        **options,
    }
    return clone.propose(BRANCH, edits_of(clone.tree) if edits is None else edits, **given)


def script(path: Path, body: str) -> None:
    """Write a program of the shell."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@dataclass
class GitServer:
    """`git http-backend` behind a server that wants ``x-access-token:<TOKEN>``.

    ``answers`` has by ``<method> <service>`` a status to give instead of git's own answer, and ``before``
    something to do first.
    """

    root: Path
    home: Path
    address: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    location: str = ""
    requests: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)

    def url(self, name: str = "gitops") -> str:
        return f"{self.address}/{name}.git"

    def clone(self, token: SecretStr | None = TOKEN, **options: Any) -> AbstractContextManager[GitOpsClone]:
        return GitOpsClone.open(self.url(), "main", token, **options)

    def propose(self, **options: Any) -> Proposal:
        """Clone, edit and propose, as each run of the pipeline does."""
        with self.clone() as clone:
            return propose_in(clone, **options)

    def _git(self, folder: Path, *arguments: str, who: str = "ada", stdin: str | None = None) -> str:
        names = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
        emails = {f"GIT_{role}_EMAIL": f"{who}@example.com" for role in ("AUTHOR", "COMMITTER")}
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=stdin,
            env=clean_environment(self.home, **names, **emails),
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    def git(self, *arguments: str, name: str = "gitops", stdin: str | None = None) -> str:
        """What git prints in a repository of the server."""
        return self._git(self.root / f"{name}.git", *arguments, stdin=stdin)

    def work(self, *arguments: str, who: str = "ada") -> str:
        """What git prints in a person's checkout."""
        return self._git(self.file(""), *arguments, who=who)

    def file(self, path: str) -> Path:
        """A file of the person's checkout."""
        return self.home / "work" / path

    def create(self) -> None:
        """A bare repository whose branch main has the sandbox's manifests, and a person's checkout of it."""
        self.root.mkdir(parents=True)
        shutil.copytree(REPOSITORY, self.file(""))
        self.work("init", "--quiet", "--initial-branch=main")
        self.work("add", ".")
        self.work("commit", "--quiet", "--message=Begin")
        self.work("gc", "--quiet")  # every test copies it
        self.add("gitops", self.file(""))
        (self.root / "gitops.git" / "hooks").mkdir()
        self.work("remote", "add", "origin", "../../served/gitops.git")

    def add(self, name: str, of: Path) -> None:
        """A repository that allows what GitHub does: partial clones, and pushes to those who are known."""
        self._git(
            self.root, "clone", "--quiet", "--bare", "--template=", "--no-local", str(of), f"{name}.git"
        )
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"):
            self.git("config", key, "true", name=name)

    def fork(self) -> str:
        """A fork as it is now; returns its address."""
        self.add("fork", self.root / "gitops.git")
        return self.url("fork")

    def hook(self, body: str) -> None:
        """What the server does before it takes a push."""
        script(self.root / "gitops.git" / "hooks" / "pre-receive", body)

    def check_out(self, branch: str) -> None:
        self.work("fetch", "--quiet", "origin")
        self.work("checkout", "--quiet", "-B", branch, f"origin/{branch}")

    def commit(self, path: str, text: str, *, branch: str = "main", who: str = "ada") -> str:
        """A person commits a file and pushes it."""
        self.check_out(branch)
        self.file(path).parent.mkdir(parents=True, exist_ok=True)
        self.file(path).write_text(text)
        self.work("add", ".")
        self.work("commit", "--quiet", f"--message=Change {path}", who=who)
        self.work("push", "--quiet", "origin", f"HEAD:{branch}")
        return self.work("rev-parse", "HEAD")

    def change_an_edited_file(self) -> str:
        """Somebody's change to main of a file that we edit as well."""
        text = self.file(KUSTOMIZATION).read_text()
        return self.commit(KUSTOMIZATION, text.replace("../../common\n", "../../common\n  - aaa.yaml\n"))

    def head(self, branch: str, name: str = "gitops") -> str:
        return self.git("rev-parse", f"refs/heads/{branch}", name=name)

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)").split()


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(f"x-access-token:{TOKEN.get_secret_value()}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the test's output readable."""

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked = f"{self.command} {query.rpartition('=')[2] or path.rpartition('/')[2]}"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            login = self.headers.get("Authorization")
            server.requests.append(asked)
            server.logins.append(login)
            server.before.get(asked, lambda: None)()
            status = server.answers.get(asked, 0 if login == expected else 401)
            if status:
                location = f"{server.location}{self.path}"
                self._answer(status, {"WWW-Authenticate": 'Basic realm="git"', "Location": location})
                return
            variables = {
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "x-access-token",
            }
            environment = clean_environment(server.home, **variables)
            done = subprocess.run(
                ["git", "http-backend"], input=body, capture_output=True, check=True, env=environment
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

        do_POST = do_GET  # noqa: N815

        def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def serve(repositories: Path, folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """A server with a copy of ``repositories``."""
    shutil.copytree(repositories, folder, dirs_exist_ok=True)
    git = GitServer(folder / "served", folder / "home")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(git))
    if tls is not None:
        # The handshake belongs to the connection's own thread, as a server under load would have it.
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    git.address = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield git
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
