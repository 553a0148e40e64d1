"""The way from Vault to the API server: connecting to the config's host, believing the config's CA alone."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from runbook.diagnosis import (
    CaDidNotSign,
    CaNotPem,
    Cause,
    CertificateOutOfDate,
    HostHangs,
    HostNotInCertificate,
    HostSpeaksNoTls,
    HostUnreachable,
    HostWithoutScheme,
)
from runbook.diagnosis.examination import Findings
from runbook.errors import InvalidInput, UnexpectedAnswer, Unreachable
from runbook.request import EnableRequest
from systems.tls import check_certificate
from tasks.auth_config import ApiServer


def ask_the_way(
    findings: Findings, request: EnableRequest, config: Mapping[str, Any], patience: float
) -> ApiServer | None:
    """Connect as Vault would, from here; nothing is sent.

    Returns:
        Host and CA of the config; None where Vault could not use them, or we cannot tell.
    """
    host = str(config.get("kubernetes_host") or "")
    ca_pem = str(config.get("kubernetes_ca_cert") or "")
    question = f"Does {host or 'the config'} answer from here, with a certificate of the config's CA?"
    if not host.lower().startswith("https://"):
        findings.wrong(question, HostWithoutScheme(request.target.mount, host or "''"))
        return None
    if not ca_pem:
        why = "the config has no CA: Vault uses that of its own pod or machine, which we cannot see"
        findings.unknown(question, "Vault", why)
        return None
    cause = _fault(request.target.mount, host, ca_pem, patience)
    if cause is not None:
        findings.wrong(question, cause)
        return None
    findings.right(question, "OpenShift", "yes")
    return ApiServer(host, ca_pem)


def _fault(mount: str, host: str, ca_pem: str, patience: float) -> Cause | None:
    try:
        report = check_certificate(host, ca_pem, patience)
    except InvalidInput as error:
        # Either the URL has a port that is none, or the CA is not PEM.
        return HostWithoutScheme(mount, host) if error.subject == "URL of a server" else CaNotPem(mount)
    except UnexpectedAnswer:
        return HostSpeaksNoTls(host)
    except Unreachable as error:
        hangs = isinstance(error.__cause__, TimeoutError)
        return HostHangs(host, patience) if hangs else HostUnreachable(host, _why(error))
    faults: dict[str, Cause] = {
        "host name": HostNotInCertificate(host, report.names),
        "dates": CertificateOutOfDate(host, report.problem),
        "chain": CaDidNotSign(host),
    }
    return faults.get(report.fault)


def _why(error: Unreachable) -> str:
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, socket.gaierror):
        return f"its name is not known: {cause.strerror}"
    return error.answer
