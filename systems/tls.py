"""The certificate of a server, judged the way Vault will judge it.

Vault is written in Go. Its Kubernetes auth method trusts exactly the CA that is stored in the mount, accepts
any certificate of that bundle as an anchor (an intermediate too), ignores the common name, and does not ask
for the extensions that Python 3.13 began to insist on. A check that is stricter or laxer than that would
tell an operator something untrue about what happens after the run.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from runbook.errors import InvalidInput, UnexpectedAnswer, Unreachable
from systems.trust import trust

# OpenSSL's X509_V_ERR_* numbers, as in <openssl/x509_vfy.h>.
_NOT_YET_VALID = 9
_HAS_EXPIRED = 10
_HOSTNAME_MISMATCH = 62
_ADDRESS_MISMATCH = 64

Fault = Literal["", "host name", "dates", "chain"]


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """What a server presented.

    Args:
        trusted: chain and host name check out.
        problem: why not, for a person; empty when it is trusted.
        names: DNS names and IP addresses that the certificate is valid for.
        not_after: end of its validity, in UTC; None when the certificate could not be read.
        fault: which part of it is wrong; empty when it is trusted.
    """

    trusted: bool
    problem: str
    names: tuple[str, ...]
    not_after: datetime | None
    fault: Fault = ""


def trusted_context(ca_pem: str | None, subject: str) -> ssl.SSLContext:
    """An SSL context that trusts what Vault would trust; the machine's store when ``ca_pem`` is None.

    Raises:
        InvalidInput: ``ca_pem`` is not PEM; ``subject`` names the field for the reader.
    """
    context = trust(ca_pem, subject)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def describe(error: ssl.SSLCertVerificationError, host: str, certificate: x509.Certificate | None) -> str:
    """Why a certificate was not believed, in words: its host name, its dates or its chain."""
    if error.verify_code in {_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH}:
        names = ", ".join(_names(certificate)) if certificate else ""
        return f"host name: the certificate is not valid for {host}" + (
            f", only for {names}" if names else ""
        )
    if error.verify_code == _HAS_EXPIRED:
        end = f" on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" if certificate else ""
        return f"dates: a certificate of the chain has expired; the server's own ends{end}"
    if error.verify_code == _NOT_YET_VALID:
        return "dates: a certificate of the chain is not valid yet; compare the clocks"
    return f"chain: {error.verify_message}"


def _fault(error: ssl.SSLCertVerificationError) -> Fault:
    if error.verify_code in {_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH}:
        return "host name"
    return "dates" if error.verify_code in {_HAS_EXPIRED, _NOT_YET_VALID} else "chain"


def check_certificate(url: str, ca_pem: str | None, timeout: float = 10) -> CertificateReport:
    """Connect to ``url`` (https, nothing is sent) and judge chain and host name against exactly ``ca_pem``.

    Args:
        url: ``https://host[:port]``; a path is ignored.
        ca_pem: the only trusted certificates; the machine's store when None.
        timeout: seconds for everything together.

    Raises:
        InvalidInput: no https URL, or the CA is not PEM.
        Unreachable: no connection, or it broke off during the handshake.
        UnexpectedAnswer: what answers there does not speak TLS.
    """
    host, port = _address(url)
    deadline = time.monotonic() + timeout
    try:
        certificate = _handshake(host, port, trusted_context(ca_pem, f"CA for {host}"), deadline)
    except ssl.SSLCertVerificationError as error:
        # A failed handshake does not hand the certificate out; look at it once more, believing anything.
        anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anything.check_hostname = False
        anything.verify_mode = ssl.CERT_NONE
        certificate = _handshake(host, port, anything, deadline)
        problem = describe(error, host, certificate)
        return CertificateReport(
            False, problem, _names(certificate), certificate.not_valid_after_utc, _fault(error)
        )
    return CertificateReport(True, "", _names(certificate), certificate.not_valid_after_utc)


def _address(url: str) -> tuple[str, int]:
    scheme, host, port = "", "", 0
    # Raised by a bracket that is not closed, a port that is none, and a host that is none (`a..b`).
    with suppress(ValueError):
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        host.encode("idna")
        port = 443 if parts.port is None else parts.port
    if scheme != "https" or not host or not port:
        raise InvalidInput(
            "input",
            "URL of a server",
            "is not https://host[:port]",
            "Give the address with its scheme, for example 'https://api.ember.example.com:6443'.",
        )
    return host, port


def _handshake(host: str, port: int, context: ssl.SSLContext, deadline: float) -> x509.Certificate:
    subject = f"https://{host}:{port}"
    try:
        with (
            socket.create_connection((host, port), _left(deadline)) as plain,
            context.wrap_socket(_with_timeout(plain, deadline), server_hostname=host) as secure,
        ):
            encoded = secure.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError:
        raise
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise _unreachable(subject, "the connection broke off during the TLS handshake") from error
    except ssl.SSLError as error:
        raise UnexpectedAnswer(
            "TLS",
            subject,
            f"no TLS handshake is possible ({error.reason or error})",
            "Check host and port: what answers there may speak plain HTTP, or only an old TLS.",
        ) from error
    except OSError as error:
        raise _unreachable(subject, str(error) or type(error).__name__) from error
    if not encoded:
        raise UnexpectedAnswer(
            "TLS", subject, "the server presented no certificate", "Check host and port of the address."
        )
    return x509.load_der_x509_certificate(encoded)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _with_timeout(plain: socket.socket, deadline: float) -> socket.socket:
    plain.settimeout(_left(deadline))
    return plain


def _unreachable(subject: str, answer: str) -> Unreachable:
    return Unreachable(
        "TLS",
        subject,
        f"no answer ({answer})",
        "Check the address, and that this worker may reach it (firewall, VPN, DNS).",
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return ()
    value = extension.value
    if not isinstance(value, x509.SubjectAlternativeName):
        return ()
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [
        address
        for address in value.get_values_for_type(x509.IPAddress)
        if isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
    ]
    return (*value.get_values_for_type(x509.DNSName), *map(str, addresses))


def expires_at(certificate_pem: str) -> datetime | None:
    """End of validity of the first certificate in ``certificate_pem``, None if it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_after_utc.astimezone(UTC)
    except ValueError:
        return None
