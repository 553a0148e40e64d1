"""Our clone of the GitOps repository beside a full one, from the same server over HTTP."""

from __future__ import annotations

import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from runbook.gitops import interesting_folders
from runbook.layout import Layout
from sandbox.github_api import GitHubApi
from systems.git_command import GitCommand, Remote
from systems.gitops import GitOpsClone

_REPOSITORY = "bench/gitops"
_CHUNK = 65536


@dataclass
class Clones:
    """Seconds and received bytes (in MB) of one way to clone."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


class _Meter(socketserver.ThreadingTCPServer):
    """Passes TCP connections on to a server and counts the bytes that come back."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.target = (host, port)
        self._received = 0
        self._lock = threading.Lock()

    def count(self, received: int) -> None:
        """Add bytes."""
        with self._lock:
            self._received += received

    def take(self) -> int:
        """Bytes since the last time."""
        with self._lock:
            taken, self._received = self._received, 0
        return taken


class _Passage(socketserver.BaseRequestHandler):
    server: _Meter
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as upstream:
            there = threading.Thread(target=self._pass, args=(self.request, upstream))
            there.start()
            self._pass(upstream, self.request, count=True)
            there.join()

    def _pass(self, source: socket.socket, sink: socket.socket, *, count: bool = False) -> None:
        try:
            while chunk := source.recv(_CHUNK):
                if count:
                    self.server.count(len(chunk))
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # Either side may hang up first; the other direction then ends as well.
            source.close()


@contextmanager
def _metered(url: str) -> Iterator[tuple[str, _Meter]]:
    """The same address behind a meter."""
    parts = urlsplit(url)
    with _Meter(str(parts.hostname), int(parts.port or 80)) as meter:
        threading.Thread(target=meter.serve_forever, name="meter", daemon=True).start()
        host, port = meter.server_address[:2]
        yield urlunsplit(parts._replace(netloc=f"{host!s}:{port}")), meter
        meter.shutdown()


def measure(directory: Path, seed: str | Path, rounds: int) -> tuple[Clones, Clones]:
    """Clone ``seed``, a path or URL, in both ways by turns: ours, and a full one with its files."""
    ours, full = Clones(), Clones()
    with GitHubApi(directory / "github", {_REPOSITORY: seed}) as github:
        branch, token = github.default_branch(_REPOSITORY), SecretStr(github.token_of("read-only"))
        with _metered(github.clone_url(_REPOSITORY)) as (url, meter):
            for _ in range(rounds):
                meter.take()
                started = time.perf_counter()
                with GitOpsClone.open(url, branch, token, interesting=interesting_folders(Layout())):
                    ours.seconds.append(time.perf_counter() - started)
                ours.megabytes.append(meter.take() / 1e6)
                full.seconds.append(_full_clone(url, token))
                full.megabytes.append(meter.take() / 1e6)
    return ours, full


def _full_clone(url: str, token: SecretStr) -> float:
    with tempfile.TemporaryDirectory(prefix="full-clone-") as home:
        remote = Remote(url, token)
        started = time.perf_counter()
        GitCommand(Path(home), 600.0).run("clone", "--quiet", "--", remote.url, "repository", remote=remote)
        return time.perf_counter() - started
