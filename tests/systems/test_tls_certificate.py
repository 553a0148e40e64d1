"""Certificates of servers, judged as Vault will judge them."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runbook.errors import InvalidInput, Unreachable
from sandbox.certificates import CertificateAuthority, ServerCertificate
from systems.tls import check_certificate


@contextmanager
def tls_server(directory: Path, issued: ServerCertificate) -> Iterator[str]:
    key, certificate = issued.write(directory, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue  # the client did not believe us

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


AUTHORITY = CertificateAuthority("authority")
ISSUED = AUTHORITY.issue("server")
OTHER = CertificateAuthority("another").pem
HOST = "api.ember.example.com"


@pytest.mark.parametrize(
    ("issued", "ca_pem", "host", "problem"),
    [
        (ISSUED, AUTHORITY.pem, "127.0.0.1", ""),
        # Go takes any certificate of a bundle for an anchor.
        (ISSUED, ISSUED.certificate_pem, "127.0.0.1", ""),
        (ISSUED, OTHER, "127.0.0.1", "chain: certificate verify failed"),
        (ISSUED, None, "127.0.0.1", "chain: certificate verify failed"),
        (
            AUTHORITY.issue("127.0.0.1", (HOST,)),
            AUTHORITY.pem,
            "127.0.0.1",
            f"host name: the certificate is not valid for 127.0.0.1, only for {HOST}",
        ),
        # A common name does not count as a name.
        (
            AUTHORITY.issue("localhost", ()),
            AUTHORITY.pem,
            "localhost",
            "host name: the certificate is not valid for localhost",
        ),
        (
            AUTHORITY.issue("server", lifetime=datetime.timedelta(days=-1)),
            AUTHORITY.pem,
            "127.0.0.1",
            "dates: a certificate of the chain has expired; the server's own expires on",
        ),
    ],
)
def test_a_certificate_is_judged_by_chain_host_name_and_dates(
    tmp_path: Path, issued: ServerCertificate, ca_pem: str | None, host: str, problem: str
) -> None:
    with tls_server(tmp_path, issued) as url:
        report = check_certificate(url.replace("127.0.0.1", host), ca_pem)
    assert report.problem.startswith(problem)
    assert report.trusted is (not report.problem) is (not problem)
    assert report.fault == problem.partition(":")[0]
    if report.fault == "dates":
        assert report.not_after < datetime.datetime.now(datetime.UTC)
        assert f"{report.not_after:%Y-%m-%d %H:%M}" in report.problem


def test_a_report_tells_names_and_end_whatever_the_path(tmp_path: Path) -> None:
    with tls_server(tmp_path, AUTHORITY.issue("server", ("127.0.0.1", HOST))) as url:
        report = check_certificate(url + "/some/path", AUTHORITY.pem)
    assert report.names == (HOST, "127.0.0.1")
    assert report.not_after > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=29)


def test_nobody_there_and_silence_are_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match="timed out"):
            check_certificate(url, None, timeout=0.3)
    with pytest.raises(Unreachable, match="refused"):
        check_certificate(url, None)


def test_no_https_address_and_no_pem_are_refused() -> None:
    with pytest.raises(InvalidInput, match="is not https://"):
        check_certificate("http://127.0.0.1", None)
    with pytest.raises(InvalidInput, match="not a PEM certificate"):
        check_certificate("https://127.0.0.1:1", "garbage")


def test_extensions_that_only_python_asks_for_may_be_missing(tmp_path: Path) -> None:
    """API servers in the field have such certificates; Python 3.13 and newer refuse them by default."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.datetime.now(datetime.UTC)

    def builder(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bare authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    bare_authority = (
        builder("bare authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = builder("server", server_key).add_extension(names, False).sign(authority_key, hashes.SHA256())
    issued = ServerCertificate(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        server.public_bytes(serialization.Encoding.PEM).decode(),
    )
    with tls_server(tmp_path, issued) as url:
        report = check_certificate(url, bare_authority.public_bytes(serialization.Encoding.PEM).decode())
    assert report.trusted, report.problem
