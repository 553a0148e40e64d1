"""A real Git server over HTTP that asks for a token, and repositories on it."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority

REPOSITORY = Path(__file__).parents[3] / "deployments" / "sandbox" / "repository"
TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass
class GitServer:
    """`git http-backend` behind a server that wants ``x-access-token:<TOKEN>``.

    ``answers`` has by ``<method> <service>`` a status to give instead of git's own answer, and ``before``
    something to do first.
    """

    root: Path
    home: Path
    port: int = 0
    scheme: str = "http"
    answers: dict[str, int] = field(default_factory=dict)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    location: str = ""
    requests: list[str] = field(default_factory=list)

    def url(self, name: str = "gitops") -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{name}.git"

    def git(
        self, *arguments: str, folder: Path | None = None, who: str = "ada", stdin: str | None = None
    ) -> str:
        """Run git as a person who has the repositories on this disk."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.root,
            input=stdin,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                **{f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")},
                **{f"GIT_{role}_EMAIL": f"{who}@example.com" for role in ("AUTHOR", "COMMITTER")},
            },
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    def create(self) -> None:
        """A bare repository whose branch main has the sandbox's manifests, and a person's checkout of it."""
        self.root.mkdir(parents=True)
        self.home.mkdir()
        work = self.work()
        shutil.copytree(REPOSITORY, work)
        self.git("init", "--quiet", "--initial-branch=main", folder=work)
        self.git("add", ".", folder=work)
        self.git("commit", "--quiet", "--message=Begin", folder=work)
        self.git("gc", "--quiet", folder=work)  # every test copies it
        self.git("clone", "--quiet", "--bare", "--template=", "--no-local", str(work), "gitops.git")
        (self.root / "gitops.git" / "hooks").mkdir()
        self.allow("gitops")
        self.git("remote", "add", "origin", "../../served/gitops.git", folder=work)

    def allow(self, name: str) -> None:
        """What GitHub allows: partial clones, and pushes to those who are known."""
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"):
            self.git("-C", f"{name}.git", "config", key, "true")

    def fork(self, name: str, of: str = "gitops") -> None:
        self.git("clone", "--quiet", "--bare", f"{of}.git", f"{name}.git")
        self.allow(name)

    def work(self) -> Path:
        """A person's checkout of the repository."""
        return self.home / "work"

    def commit(self, path: str, text: str, *, branch: str = "main", who: str = "ada") -> str:
        """A person commits a file and pushes it."""
        work = self.work()
        self.git("fetch", "--quiet", "origin", folder=work)
        self.git("checkout", "--quiet", "-B", branch, f"origin/{branch}", folder=work)
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
        self.git("add", ".", folder=work)
        self.git("commit", "--quiet", f"--message=Change {path}", folder=work, who=who)
        self.git("push", "--quiet", "origin", f"HEAD:{branch}", folder=work)
        return self.git("rev-parse", "HEAD", folder=work)

    def add_empty_commits(self, count: int) -> None:
        """Other people's changes to main, many at once."""
        commits = [
            f"commit refs/heads/main\ncommitter Ada <ada@example.com> {1_700_000_000 + number} +0000\n"
            f"data 1\nx\n{'from refs/heads/main^0' if number == 0 else ''}\n"
            for number in range(count)
        ]
        self.git("-C", "gitops.git", "fast-import", "--quiet", stdin="".join(commits))

    def head(self, branch: str, name: str = "gitops") -> str:
        return self.git("-C", f"{name}.git", "rev-parse", f"refs/heads/{branch}")

    def branches(self, name: str = "gitops") -> list[str]:
        return self.git("-C", f"{name}.git", "for-each-ref", "--format=%(refname:short)").split()

    def show(self, revision: str, name: str = "gitops") -> str:
        return self.git(
            "-C", f"{name}.git", "show", "--no-patch", "--format=%an <%ae> %cn <%ce>%n%B", revision
        )


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the test's output readable."""

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            path, _, query = self.path.partition("?")
            service = query.rpartition("=")[2] or path.rpartition("/")[2]
            body = self._body()
            server.requests.append(f"{method} {service}")
            server.before.get(f"{method} {service}", lambda: None)()
            status = server.answers.get(f"{method} {service}", 0)
            if status == 302:
                self.send_response(status)
                self.send_header("Location", f"{server.location}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif status:
                self._refuse(status)
            elif self.headers.get("Authorization") != expected:
                self._refuse(401)
            else:
                self._backend(method, path, query, body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _backend(self, method: str, path: str, query: str, body: bytes) -> None:
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                capture_output=True,
                check=True,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(server.home),
                    "GIT_CONFIG_NOSYSTEM": "1",
                    "GIT_PROJECT_ROOT": str(server.root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": method,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "REMOTE_USER": "x-access-token",
                    "REMOTE_ADDR": "127.0.0.1",
                },
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a server as every test finds them."""
    folder = tmp_path_factory.mktemp("repositories")
    GitServer(folder / "served", folder / "home").create()
    return folder


@contextmanager
def _serve(repositories: Path, folder: Path, tls: ssl.SSLContext | None) -> Iterator[GitServer]:
    shutil.copytree(repositories, folder, dirs_exist_ok=True)
    git = GitServer(folder / "served", folder / "home", scheme="https" if tls else "http")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(git))
    if tls is not None:
        # The handshake belongs to the connection's own thread, as a server under load would have it.
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    git.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield git
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def server(repositories: Path, tmp_path: Path) -> Iterator[GitServer]:
    """A server with the repository `gitops`."""
    with _serve(repositories, tmp_path, None) as git:
        yield git


@pytest.fixture
def authority() -> CertificateAuthority:
    """Who signed the certificate of `secure_server`."""
    return CertificateAuthority("authority of the Git server")


@pytest.fixture
def secure_server(repositories: Path, tmp_path: Path, authority: CertificateAuthority) -> Iterator[GitServer]:
    """The same over TLS, with a certificate for 127.0.0.1 and localhost."""
    key, certificate = authority.issue("git").write(tmp_path, "git")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with _serve(repositories, tmp_path, tls) as git:
        yield git


@pytest.fixture
def token() -> SecretStr:
    return SecretStr(TOKEN)
