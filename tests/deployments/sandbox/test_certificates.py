"""A client that trusts the right authority connects; any other does not."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest

from deployments.sandbox.certificates import CertificateAuthority, ServerCertificate, write_private


def connect(
    certificate: ServerCertificate, directory: Path, authority: CertificateAuthority, host: str
) -> str | None:
    """The TLS version of a handshake over a real socket, as a strict client does it."""
    key, chain = certificate.write(directory, "server")
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain, key)
    client_context = ssl.create_default_context(cadata=authority.pem)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    server_context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    return  # the client refused us, which is its own verdict

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname()) as raw,
                client_context.wrap_socket(raw, server_hostname=host) as secured,
            ):
                return secured.version()
        finally:
            thread.join(10)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_certificate_is_good_for_the_loopback_names(host: str, tmp_path: Path) -> None:
    authority = CertificateAuthority("one")
    assert connect(authority.issue("server"), tmp_path, authority, host) == "TLSv1.3"


def test_a_client_that_trusts_another_authority_refuses(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(
            CertificateAuthority("one").issue("server"), tmp_path, CertificateAuthority("one"), "localhost"
        )


def test_a_host_that_is_not_in_the_certificate_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority("one")
    certificate = authority.issue("server", ("other.example",))
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate is not valid for"):
        connect(certificate, tmp_path, authority, "127.0.0.1")


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority("one")
    certificate = authority.issue("server", lifetime=datetime.timedelta(minutes=-1))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        connect(certificate, tmp_path, authority, "127.0.0.1")


def test_private_files_are_readable_by_their_owner_only_even_when_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and open to all")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
