"""A server that answers what a test tells it to, over TLS, and remembers what it was asked."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.certificates import CertificateAuthority

TOKEN = "eyJhbGciOi-do-not-print-me"
"""In the kubeconfig of the client under test: a secret that no error may say."""


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds_between_bytes: float = 0.0

    @classmethod
    def json(cls, body: Any, status: int = 200, **headers: str) -> Answer:
        return cls(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

    @classmethod
    def refusal(cls, status: int, message: str, **headers: str) -> Answer:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
        return cls.json(body, status, **headers)


@dataclass
class Scripted:
    """``answers`` by path; everything else is 404 of an API server."""

    url: str
    ca_pem: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def kubeconfig(self, **changes: Any) -> dict[str, Any]:
        return kubeconfig(self.url, self.ca_pem, **changes)


def kubeconfig(url: str, ca_pem: str | None, token: str = "the-token", **user: Any) -> dict[str, Any]:  # noqa: S107
    cluster: dict[str, Any] = {"server": url}
    if ca_pem:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "ember", "user": "pipeline"}}],
        "clusters": [{"name": "ember", "cluster": cluster}],
        "users": [{"name": "pipeline", "user": {**({"token": token} if token else {}), **user}}],
    }


def certificate_fields(certificate_pem: str, key_pem: str) -> dict[str, str]:
    """Of the user in a kubeconfig."""
    return {
        "client-certificate-data": base64.b64encode(certificate_pem.encode()).decode(),
        "client-key-data": base64.b64encode(key_pem.encode()).decode(),
    }


@contextmanager
def scripted_server(
    directory: Path, authority: CertificateAuthority, names: tuple[str, ...] = ("127.0.0.1",), **issue: Any
) -> Iterator[Scripted]:
    key, certificate = authority.issue("scripted", names, **issue).write(directory, "scripted")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_NONE

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            script.requests.append((self.command, self.path, dict(self.headers.items()), body))
            answer = script.answers.get(path) or Answer.refusal(404, f"nothing at {path}")
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                self._write(answer)
            except OSError:
                self.close_connection = True

        def _write(self, answer: Answer) -> None:
            if not answer.seconds_between_bytes:
                self.wfile.write(answer.body)
                return
            for number in range(len(answer.body)):
                self.wfile.write(answer.body[number : number + 1])
                self.wfile.flush()
                time.sleep(answer.seconds_between_bytes)

        do_GET = do_POST = do_LIST = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, client_address: Any) -> None:
            try:
                secure = context.wrap_socket(request, server_side=True)
            except OSError:
                return  # a client that does not trust us hangs up in the handshake
            with secure:
                super().finish_request(secure, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    script = Scripted(f"https://127.0.0.1:{server.server_port}", authority.pem)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
