"""Git servers, as every test finds them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.certificates import CertificateAuthority
from tests.systems.gitops.git_server import GitServer, serve


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a server as every test finds them."""
    folder = tmp_path_factory.mktemp("repositories")
    GitServer(folder / "served", folder / "home").create()
    return folder


@pytest.fixture
def server(repositories: Path, tmp_path: Path) -> Iterator[GitServer]:
    """A server with the repository `gitops`."""
    with serve(repositories, tmp_path) as git:
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
    with serve(repositories, tmp_path, tls) as git:
        yield git


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/a.git"
