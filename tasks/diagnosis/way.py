"""The way from Vault to the API server: connecting to its host, believing its CA alone, as Vault will."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from runbook.diagnosis.cause import Cause, listed
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.config_differs import config_differs
from runbook.diagnosis.examination import Findings
from runbook.errors import UnexpectedAnswer, Unreachable
from systems.tls import check_certificate
from tasks.diagnosis.asking import Asked


def ask_the_way(findings: Findings, asked: Asked, config: Mapping[str, Any]) -> bool:
    """Whether Vault's config leads to ``api``, and ``api`` answers as Vault needs it. No token is sent.

    Where the config leads elsewhere, that is the diagnosis, and nobody connects there.
    """
    mount, api = asked.request.target.mount, asked.api
    question = "Does Vault's config point to the API server of the ClusterConnection?"
    differs = config_differs(mount, config, api.host, api.ca_pem)
    if differs is not None:
        findings.say(question, differs)
        return False
    findings.say(question, api.host, "Vault")
    # Vault before 1.16 does not say whether it holds a JWT: unknown, not "no".
    if config.get("token_reviewer_jwt_set") is False:
        findings.say("Does Vault have a reviewer JWT?", Causes.REVIEWER_JWT_NOT_SET.of(mount=mount))
    question = f"Does {api.host} answer this worker, with a certificate of the config's CA?"
    _, answers = findings.ask(question, "OpenShift", lambda: _fault(asked), lambda fault: fault or "yes")
    return answers == "right"


def _fault(asked: Asked) -> Cause | None:
    host = asked.api.host
    try:
        report = check_certificate(host, asked.api.ca_pem or None, asked.patience, proxy=asked.api.proxy)
    except UnexpectedAnswer:
        return Causes.HOST_SPEAKS_NO_TLS.of(host=host)
    except Unreachable as error:
        if isinstance(error.__cause__, TimeoutError):
            return Causes.HOST_HANGS.of(host=host, seconds=f"{asked.patience:.0f}")
        return Causes.HOST_UNREACHABLE.of(host=host, why=_why(error))
    names = listed(report.names, "no name")
    faults = {
        "host name": Causes.HOST_NOT_IN_CERTIFICATE.of(host=host, names=names),
        "dates": Causes.CERTIFICATE_OUT_OF_DATE.of(host=host, problem=report.problem),
        "chain": Causes.CA_DID_NOT_SIGN.of(host=host),
    }
    return faults.get(report.fault)


def _why(error: Unreachable) -> str:
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, socket.gaierror):
        return f"its name does not resolve: {cause.strerror}"
    return error.answer
