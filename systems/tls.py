"""The certificate of a server, judged the way Vault will judge it.

Vault is written in Go. Its Kubernetes auth method trusts exactly the CA that is stored in the mount, accepts
any certificate of that bundle as an anchor (an intermediate too), ignores the common name, and does not ask
for the extensions that Python 3.13 began to insist on. A check that is stricter or laxer than that would
tell an operator something untrue about what happens after the run.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from cryptography import x509

from runbook.addresses import check_address
from runbook.errors import UnexpectedAnswer, Unreachable
from systems.proxies import proxy_for, proxy_headers
from systems.trust import trust

Fault = Literal["", "host name", "dates", "chain"]

# OpenSSL's X509_V_ERR_* numbers, as in <openssl/x509_vfy.h>; those of all other faults are of the chain.
_HAS_EXPIRED = 10
_FAULTS: dict[int, Fault] = {9: "dates", _HAS_EXPIRED: "dates", 62: "host name", 64: "host name"}

_REMEDY = "Check the address, and that this worker can reach it (firewall, VPN, DNS)."


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """What a server presented.

    Args:
        names: DNS names and IP addresses that the certificate is valid for.
        not_after: end of its validity, in UTC.
        problem: why chain or host name do not check out, for a person; empty when it is trusted.
        fault: which part of it is wrong; empty when it is trusted.
    """

    names: tuple[str, ...]
    not_after: datetime
    problem: str = ""
    fault: Fault = ""

    @property
    def trusted(self) -> bool:
        """Whether chain and host name check out."""
        return not self.fault


def trusted_context(ca_pem: str | None, subject: str) -> ssl.SSLContext:
    """An SSL context that trusts what Vault would trust; the machine's store when ``ca_pem`` is None.

    Raises:
        InvalidInput: ``ca_pem`` is not PEM; ``subject`` names the field for the reader.
    """
    context = ssl.create_default_context() if ca_pem is None else trust(ca_pem, subject)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def describe(error: ssl.SSLCertVerificationError, host: str, certificate: x509.Certificate | None) -> str:
    """Why a certificate was not believed, in words: its host name, its dates or its chain."""
    fault = _fault(error)
    if fault == "host name":
        names = ", ".join(_names(certificate)) if certificate else ""
        why = f"the certificate is not valid for {host}" + (f", only for {names}" if names else "")
    elif error.verify_code == _HAS_EXPIRED:
        end = f" on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" if certificate else ""
        why = f"a certificate of the chain has expired; the server's own expires{end}"
    elif fault == "dates":
        why = "a certificate of the chain is not valid yet; compare the clocks"
    else:
        why = f"certificate verify failed ({error.verify_message})"
    return f"{fault}: {why}"


def no_handshake(
    error: ssl.SSLError, system: str, subject: str, remedy: str
) -> Unreachable | UnexpectedAnswer:
    """The error for a TLS handshake that failed, but not by a certificate.

    Args:
        error: of OpenSSL.
        system, subject: who was asked about what, for the reader.
        remedy: where the connection broke off.
    """
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Unreachable(
            system, subject, "no answer (the connection broke off in the TLS handshake)", remedy
        )
    return UnexpectedAnswer(
        system,
        subject,
        f"the TLS handshake failed ({error.reason or error})",
        "Check host and port: the server may speak plain HTTP, or only an old TLS version.",
    )


def check_certificate(
    url: str, ca_pem: str | None, timeout: float = 10, *, proxy: str = ""
) -> CertificateReport:
    """Connect to ``url`` (https, nothing is sent) and judge chain and host name against exactly ``ca_pem``.

    Args:
        url: ``https://host[:port]``; a path is ignored.
        ca_pem: the only trusted certificates; the machine's store when None.
        timeout: seconds for a connection, and for a handshake. There are two of each at most.
        proxy: ``http://host:port`` to connect through; empty for that of the environment, if any.

    Raises:
        InvalidInput: no https URL, or the CA is not PEM.
        Unreachable: no connection, or it broke off during the handshake.
        UnexpectedAnswer: what answers there does not speak TLS.
    """
    check_address(url, "URL of a server")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    proxy = proxy or proxy_for(url)
    try:
        certificate = _handshake(host, port, proxy, trusted_context(ca_pem, f"CA for {host}"), timeout)
    except ssl.SSLCertVerificationError as error:
        # A failed handshake does not hand the certificate out; look at it once more, believing anything.
        anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anything.check_hostname = False
        anything.verify_mode = ssl.CERT_NONE
        certificate = _handshake(host, port, proxy, anything, timeout)
        problem, fault = describe(error, host, certificate), _fault(error)
        return CertificateReport(_names(certificate), certificate.not_valid_after_utc, problem, fault)
    return CertificateReport(_names(certificate), certificate.not_valid_after_utc)


def _handshake(host: str, port: int, proxy: str, context: ssl.SSLContext, timeout: float) -> x509.Certificate:
    subject = f"https://{host}:{port}"
    try:
        with closing(_connection(host, port, proxy, context, timeout)) as connection:
            connection.connect()
            encoded = connection.sock.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        raise no_handshake(error, "TLS", subject, _REMEDY) from error
    except (OSError, http.client.HTTPException) as error:
        answer = f"no answer ({str(error) or type(error).__name__})"
        raise Unreachable("TLS", subject, answer, _REMEDY) from error
    if not encoded:
        raise UnexpectedAnswer(
            "TLS", subject, "the server presented no certificate", "Check host and port of the address."
        )
    return x509.load_der_x509_certificate(encoded)


def _connection(
    host: str, port: int, proxy: str, context: ssl.SSLContext, timeout: float
) -> http.client.HTTPSConnection:
    if not proxy:
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    parts = urlsplit(proxy)
    if parts.scheme != "http":
        raise OSError("only http proxies are supported")
    way = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 80, timeout=timeout, context=context
    )
    way.set_tunnel(f"[{host}]" if ":" in host else host, port, proxy_headers(proxy))
    return way


def _fault(error: ssl.SSLCertVerificationError) -> Fault:
    return _FAULTS.get(error.verify_code, "chain")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def expires_at(certificate_pem: str) -> datetime | None:
    """End of validity of the first certificate in ``certificate_pem``, None if it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_after_utc.astimezone(UTC)
    except ValueError:
        return None
