"""Whom we believe over TLS: exactly the CA of the connection, or the machine's store where none is given.

requests would add the bundle of certifi to a private CA, and takes a CA only as a file. Here the CA is text
(it comes from a Prefect Block) and is the only one that counts.
"""

from __future__ import annotations

import ssl
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter

from runbook.errors import InvalidInput


def trust(ca_pem: str | None, subject: str) -> ssl.SSLContext:
    """An SSL context that believes exactly ``ca_pem`` (PEM text), or the machine's store when it is None.

    Raises:
        InvalidInput: if ``ca_pem`` is not PEM; ``subject`` names the field for the reader.
    """
    if ca_pem is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError, TypeError) as error:  # a TypeError where it is not ASCII
        raise InvalidInput(
            "input",
            subject,
            f"is not a PEM certificate ({error})",
            "Give the CA certificate as text that starts with '-----BEGIN CERTIFICATE-----'.",
        ) from error
    return context


class _TrustAdapter(HTTPAdapter):
    """Hands urllib3 our SSL context and keeps requests from adding its own CA bundle to it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if url.lower().startswith("https"):
            conn.cert_reqs = "CERT_REQUIRED"


def session(ca_pem: str | None, subject: str) -> Session:
    """A requests session with the trust of `trust` and no retries of its own; Prefect retries the step."""
    made = Session()
    made.mount("https://", _TrustAdapter(trust(ca_pem, subject)))
    made.mount("http://", HTTPAdapter(max_retries=0))
    # A ~/.netrc entry for the host would add an Authorization header that nobody asked for.
    made.auth = lambda request: request
    return made
