"""An HTTP proxy that connects whatever it is asked for with one server of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread


@dataclass
class Proxy:
    """Connects whatever it is asked for with one server; ``login`` is what it demands, if anything."""

    to_port: int
    port: int = 0
    asked: list[str] = field(default_factory=list)
    login: str = ""

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as reader:
            asked = reader.readline().decode().rpartition(" ")[0]
            headers = [line.strip().decode().lower() for line in iter(reader.readline, b"\r\n")]
            if self.login and f"proxy-authorization: {self.login}".lower() not in headers:
                client.sendall(
                    b"HTTP/1.1 407 Log in\r\nProxy-Authenticate: Basic realm=x\r\nConnection: close\r\n\r\n"
                )
                return
            self.asked.append(asked)
            with socket.create_connection(("127.0.0.1", self.to_port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                Thread(target=_pump, args=(server, client), daemon=True).start()
                _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(port, listener.getsockname()[1])
        thread = Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
