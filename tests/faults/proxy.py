"""A proxy in front of one real server, which strikes requests as a `Script` says.

It ends TLS with an authority of its own, forwards over a connection of its own, and hands each answer on as a
whole. What it does to a request is decided before the request is forwarded, so that "just before" and "just
after" are what they say.
"""

from __future__ import annotations

import http.client
import ssl
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import urllib3

from sandbox.certificates import CertificateAuthority
from tests.faults.faults import Answer, Fault, Script, answer_of

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection"}
_NO_BODY = {204, 304}


@dataclass(frozen=True, slots=True)
class Server:
    """A real server.

    Args:
        url: where it is; with https the proxy speaks TLS too.
        ca_pem: its authority, for https.
        system_of: whom a request is for, by its path, as reports name it.
        counts: whether a request, known by its headers, is one of the pipeline's.
    """

    url: str
    ca_pem: str | None
    system_of: Callable[[str], str]
    counts: Callable[[Message], bool] = lambda _headers: True


class Proxy:
    """``with Proxy(server, script) as proxy: proxy.url, proxy.ca_pem``."""

    def __init__(self, server: Server, script: Script) -> None:
        self._own_context, self.ca_pem = None, None
        if server.url.startswith("https"):
            authority = CertificateAuthority("failing proxy")
            self.ca_pem = authority.pem
            self._own_context = _context(authority)
        handler = type("_Handler", (_Handler,), {"server_behind": server, "script": script})
        self._listener = _Listener(("127.0.0.1", 0), handler)
        self._listener.context = self._own_context
        trust = {"ssl_context": ssl.create_default_context(cadata=server.ca_pem)} if server.ca_pem else {}
        self._listener.behind = urllib3.connection_from_url(server.url, maxsize=32, timeout=60, **trust)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name=f"proxy of {server.url}", daemon=True
        )
        parts = urlsplit(server.url)
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.behind.close()


def _context(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = authority.issue("failing proxy").write(Path(directory), "server")
        context.load_cert_chain(certificate, key)
    return context


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    context: ssl.SSLContext | None = None
    behind: urllib3.HTTPConnectionPool

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed break connections off; that is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, in a thread of its own."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener
    server_behind: Server
    script: Script

    def setup(self) -> None:
        if self.server.context is not None:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """The script notes what was asked."""

    def _pass(self) -> None:
        body = self._body()
        fault = None
        system = self.server_behind.system_of(self.path)
        if self.server_behind.counts(self.headers):
            fault = self.script.asked(system, self.command, _readable(self.path))
        if fault is Fault.KILL_BEFORE:
            self._die(system)
            return
        true = self._ask(body) if fault is None or fault.reaches_the_server else None
        if fault is Fault.KILL_AFTER:
            self._die(system)
        elif fault in {Fault.CUT, Fault.CUT_HEAD}:
            assert true is not None
            self._cut(true, in_head=fault is Fault.CUT_HEAD or not true.body)
        elif fault is not None:
            self._answer(answer_of(fault, system, true))
        else:
            assert true is not None
            self._answer(true)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_LIST = do_HEAD = _pass  # noqa: N815 - the base's

    def _die(self, system: str) -> None:
        # Killed first: of the closed connection the client learns nothing any more.
        self.script.kill(system)
        self.close_connection = True

    def _cut(self, answer: Answer, *, in_head: bool) -> None:
        head = self._head(answer)
        end = len(head) // 2 if in_head else len(head) + len(answer.body) // 2
        self.wfile.write((head + answer.body)[:end])
        self.wfile.flush()
        self.close_connection = True

    def _answer(self, answer: Answer) -> None:
        self.wfile.write(self._head(answer) + answer.body)
        self.wfile.flush()

    def _head(self, answer: Answer) -> bytes:
        lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers if name.lower() not in _HOP_BY_HOP]
        if answer.status not in _NO_BODY:
            lines.append(f"Content-Length: {len(answer.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _ask(self, body: bytes) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        response = self.server.behind.urlopen(
            self.command,
            self.path,
            body or (b"" if self.command != "GET" else None),
            headers,
            retries=False,
            redirect=False,
            decode_content=False,
        )
        return Answer(response.status, tuple(response.headers.items()), response.data)


def _readable(path: str) -> str:
    """A path as a person names the request: without Vault's version, and of a query only Git's service."""
    parts = urlsplit(path)
    service = parse_qs(parts.query).get("service")
    return parts.path.removeprefix("/v1/") + (f"?service={service[0]}" if service else "")
