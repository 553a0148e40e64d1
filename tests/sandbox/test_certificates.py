"""A client that trusts the right authority connects; any other does not."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest

from sandbox.certificates import CertificateAuthority, ServerCertificate, write_private


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


def test_another_authority_another_host_and_an_expired_certificate_are_refused(tmp_path: Path) -> None:
    one, other = CertificateAuthority("one"), CertificateAuthority("one")
    expired = one.issue("server", lifetime=datetime.timedelta(minutes=-1))
    for certificate, authority, says in (
        (one.issue("server"), other, "certificate verify failed"),
        (one.issue("server", ("other.example",)), one, "certificate is not valid for"),
        (expired, one, "expired"),
    ):
        with pytest.raises(ssl.SSLCertVerificationError, match=says):
            connect(certificate, tmp_path, authority, "127.0.0.1")


def test_private_files_are_readable_by_their_owner_only_even_when_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and open to all")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
