"""The server as a whole: its certificate, its files, its life."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

import uvicorn
import yaml
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.certificates import LOOPBACK_NAMES, CertificateAuthority, write_private
from sandbox.kubernetes_api import bootstrap
from sandbox.kubernetes_api.application import Application
from sandbox.kubernetes_api.authentication import Authenticator
from sandbox.kubernetes_api.authorization import Authorizer
from sandbox.kubernetes_api.controllers import Controllers
from sandbox.kubernetes_api.dispatch import Dispatcher
from sandbox.kubernetes_api.kinds import KUBERNETES_KINDS, OPENSHIFT_KINDS, Registry
from sandbox.kubernetes_api.resources import Resources
from sandbox.kubernetes_api.reviews import Reviews
from sandbox.kubernetes_api.storage import Store
from sandbox.kubernetes_api.tokens import TokenSigner
from sandbox.ports import LOOPBACK

ISSUER = "https://kubernetes.default.svc"
"""Issuer and audience of a cluster's tokens, as OpenShift names them where nothing else is configured."""

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.01
_IDLE_CONNECTION_SECONDS = 90
_REQUEST_SECONDS = 2


class KubernetesApi:
    """A Kubernetes API server on 127.0.0.1, in a thread of this process.

    A context manager: ``with KubernetesApi(directory) as api:`` serves until the end of the block.

    Everything is in memory and begins anew with each object of this class; `stop` and `start` in between
    keep it, and the port, as a restart of a real API server does.

    Attributes:
        url: ``https://127.0.0.1:<port>``.
        ca_pem: certificate of the authority that signed the server's.
        ca_file: the same as a file.
        admin_kubeconfig: file (0600) of a user in ``system:masters``.
        admin_token: that user's bearer token.
        requests: ``(method, path)`` of every request that was answered, in order; never a query or a body.
        request_log: a file with a line for each of them: time, method, path, status.
    """

    def __init__(
        self,
        state_dir: Path,
        port: int = 0,
        *,
        openshift: bool = True,
        cluster_name: str = "ember",
        names: Sequence[str] = (),
        controller_delay: float = 0.1,
    ) -> None:
        """
        Args:
            state_dir: for the server's files; it is made (0700).
            port: 0 means a free one.
            openshift: also serve what only OpenShift has.
            cluster_name: of the objects that name the cluster, and of the kubeconfig's context.
            names: further names of the certificate, besides 127.0.0.1 and localhost.
            controller_delay: seconds until controllers act on a change (a token Secret is filled, a namespace
                is gone).
        """
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state_dir = state_dir
        self._socket = _listen(port)
        self._port = self._socket.getsockname()[1]
        self.url = f"https://{LOOPBACK}:{self._port}"
        self.requests: list[tuple[str, str]] = []
        self.request_log = state_dir / "requests.log"

        authority = CertificateAuthority(f"{cluster_name} Kubernetes API")
        certificate = authority.issue("kube-apiserver", (*LOOPBACK_NAMES, *names))
        self._key_file, self._certificate_file = certificate.write(state_dir, "server")
        self.ca_pem = authority.pem
        self.ca_file = state_dir / "ca.crt"
        self.ca_file.write_text(self.ca_pem)
        self.admin_token = secrets.token_urlsafe(32)
        self.admin_kubeconfig = write_private(
            state_dir / "admin.kubeconfig",
            kubeconfig(cluster_name, self.url, self.ca_pem, "admin", self.admin_token),
        )

        self._store = Store()
        registry = Registry(KUBERNETES_KINDS + (OPENSHIFT_KINDS if openshift else ()))
        self._signer = signer = TokenSigner(ISSUER)
        authenticator = Authenticator(self._store, signer, self.admin_token)
        authorizer = Authorizer(self._store)
        bootstrap.fill(self._store, self.url, cluster_name, openshift=openshift)
        self._controllers = Controllers(self._store, registry, signer, self.ca_pem, controller_delay)
        reviews = Reviews(self._store, authenticator, authorizer, signer)
        self._application = Application(
            url=self.url,
            registry=registry,
            authenticator=authenticator,
            authorizer=authorizer,
            signer=signer,
            dispatcher=Dispatcher(registry, Resources(self._store), reviews),
            note=self._note,
        )
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Serve, on the same port as before.

        Raises:
            RuntimeError: it did not come up.
        """
        if self._socket.fileno() < 0:
            self._socket = _listen(self._port)
        config = uvicorn.Config(
            self._application,
            http=H11Protocol,
            ssl_keyfile=self._key_file,
            ssl_certfile=self._certificate_file,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=_IDLE_CONNECTION_SECONDS,
            timeout_graceful_shutdown=_REQUEST_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="kubernetes-api", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"the Kubernetes API of the sandbox did not start at {self.url}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop serving: the port is closed, the objects stay."""
        if self._server is None or self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_SECONDS)
        self._server = self._thread = self._loop = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def without_controllers(self) -> Iterator[None]:
        """As while a cluster's kube-controller-manager is down: nothing follows from any change."""
        self._controllers.at_rest = True
        try:
            yield
        finally:
            self._controllers.at_rest = False

    @contextmanager
    def clock_at(self, moment: datetime.datetime) -> Iterator[None]:
        """As where a cluster's clock is wrong: by it, tokens begin and end. It stands still there."""
        self._signer.clock = moment.timestamp
        try:
            yield
        finally:
            self._signer.clock = time.time

    def issuing_with_another_key(self) -> AbstractContextManager[None]:
        """As with a ``--service-account-signing-key-file`` that is in no ``--service-account-key-file``.

        New tokens are issued, and refused by the server that issued them; those of Secrets, which the
        kube-controller-manager signs, are accepted as ever.
        """
        return self._signer.issuing_with_another_key()

    def sign_token(
        self, namespace: str, service_account: str, *, lifetime: int, audiences: Sequence[str] = ()
    ) -> str:
        """A token as TokenRequest gives it, of any lifetime in seconds: a negative one has expired.

        Without ``audiences`` it is for this very API server.

        Raises:
            KeyError: there is no such ServiceAccount.
        """
        account = self._store.read("serviceaccounts", namespace, service_account)
        if account is None:
            raise KeyError(f"{namespace}/{service_account}")
        return self._signer.bound_token(account, list(audiences) or [ISSUER], lifetime)[0]

    def write_ready(self) -> Path:
        """Write ``ready.json`` (``{"url": ...}``), for whoever waits for a server of another process."""
        path = self._state_dir / "ready.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"url": self.url}))
        return partial.replace(path)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        if self._server is None:
            raise RuntimeError("start() has to make the server first")
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        controllers = asyncio.create_task(self._controllers.run())
        stopping = asyncio.create_task(self._stopping.wait())
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await asyncio.wait([serving, stopping, controllers], return_when=asyncio.FIRST_COMPLETED)
        self._server.should_exit = True
        while not serving.done():
            _abort_idle_connections(self._server)
            await asyncio.wait([serving], timeout=_POLL_SECONDS)
        for task in (controllers, stopping):
            task.cancel()
        await asyncio.wait([controllers, stopping])
        if not controllers.cancelled():
            controllers.result()  # raises what ended them: without controllers there is no cluster
        serving.result()

    def _note(self, method: str, path: str, status: int) -> None:
        self.requests.append((method, path))
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.request_log.open("a") as log:
            # A path is the client's text: as JSON it cannot start a line of its own.
            log.write(f"{moment} {method} {json.dumps(path)[1:-1]} {status}\n")


def _abort_idle_connections(server: uvicorn.Server) -> None:
    """Drop the connections that clients only keep for later.

    Closing them in order would wait for each client's TLS goodbye, which an idle one never sends.
    """
    for connection in list(server.server_state.connections):
        if isinstance(connection, H11Protocol):
            cycle = connection.cycle
            if connection.transport is not None and (cycle is None or cycle.response_complete):
                connection.transport.abort()


def kubeconfig(cluster: str, url: str, ca_pem: str, user: str, token: str) -> str:
    """The text of a kubeconfig with one cluster, one user with a bearer token, and one context."""
    authority = base64.b64encode(ca_pem.encode()).decode()
    context = f"{user}@{cluster}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return yaml.safe_dump(content, sort_keys=False)


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener
