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

from deployments.sandbox.certificates import CertificateAuthority, ServerCertificate
from runbook.errors import InvalidInput, Unreachable
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


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority("authority")


def test_a_certificate_of_that_ca_and_name_is_trusted(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    issued = authority.issue("server", ("127.0.0.1", "api.ember.example.com"))
    with tls_server(tmp_path, issued) as url:
        report = check_certificate(url + "/some/path", authority.pem)
    assert report.trusted
    assert report.problem == ""
    assert report.names == ("api.ember.example.com", "127.0.0.1")
    assert report.not_after is not None
    assert report.not_after > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=29)


def test_a_certificate_of_another_ca_is_a_broken_chain(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with tls_server(tmp_path, authority.issue("server")) as url:
        report = check_certificate(url, CertificateAuthority("another").pem)
    assert not report.trusted
    assert report.problem.startswith("chain: ")
    assert "127.0.0.1" in report.names


def test_the_store_of_the_machine_does_not_know_a_private_ca(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with tls_server(tmp_path, authority.issue("server")) as url:
        assert check_certificate(url, None).problem.startswith("chain: ")


def test_a_name_that_is_missing_is_reported_with_those_that_are_there(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with tls_server(tmp_path, authority.issue("127.0.0.1", ("api.ember.example.com",))) as url:
        report = check_certificate(url, authority.pem)
    assert report.problem == (
        "host name: the certificate is not valid for 127.0.0.1, only for api.ember.example.com"
    )


def test_a_common_name_does_not_count_as_a_name(tmp_path: Path, authority: CertificateAuthority) -> None:
    with tls_server(tmp_path, authority.issue("localhost", ())) as url:
        report = check_certificate(url.replace("127.0.0.1", "localhost"), authority.pem)
    assert report.problem == "host name: the certificate is not valid for localhost"


def test_an_expired_certificate_is_reported_with_its_date(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    issued = authority.issue("server", lifetime=datetime.timedelta(days=-1))
    with tls_server(tmp_path, issued) as url:
        report = check_certificate(url, authority.pem)
    assert report.not_after is not None
    assert report.not_after < datetime.datetime.now(datetime.UTC)
    assert report.problem.startswith("dates: a certificate of the chain has expired")
    assert f"{report.not_after:%Y-%m-%d %H:%M}" in report.problem


def test_the_server_s_own_certificate_may_be_the_anchor_as_in_go(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    issued = authority.issue("server")
    with tls_server(tmp_path, issued) as url:
        assert check_certificate(url, issued.certificate_pem).trusted


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refused"):
            check_certificate(f"https://127.0.0.1:{reserved.getsockname()[1]}", None)


def test_silence_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable, match="timed out"):
        check_certificate(f"https://127.0.0.1:{silent.getsockname()[1]}", None, timeout=0.3)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "127.0.0.1:6443",
        "https://",
        "https://h:port",
        "https://h:0",
        "https://[::1",
        "https://a..b",
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_certificate(url, None)


def test_a_ca_that_is_no_pem_is_refused() -> None:
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
