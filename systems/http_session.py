"""The one HTTP session under the clients of Vault, GitHub and the clusters.

- Nothing is repeated, and no redirect is followed: Prefect retries the step, and libraries send headers and
  bodies on to wherever a server says.
- The body of an answer is bounded in size and in time. Libraries read it whole, and count their timeout
  between two bytes, so that an answer may drip for hours. Its head is bounded in size, and in time by that
  timeout alone.
- Exactly the CA of the connection is believed. The proxy is the one that requests would take.
- What goes wrong on the way is returned as an error of the pipeline, not raised: the variables of the frames
  above hold tokens and payloads, and a traceback keeps them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from pydantic import SecretStr

from runbook.addresses import shown
from runbook.errors import (
    CertificateNotTrusted,
    EnablementError,
    UnexpectedAnswer,
    Unreachable,
)
from systems.proxies import proxy_for, proxy_headers
from systems.tls import check_certificate, describe, no_handshake

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes. Nothing that we read comes near it, and an endless answer may not fill memory."""

_CHUNK = 65536
_WITH_BODY = (200, 201, 404)

_RETRY = urllib3.Retry(retry_after_max=10**9)

USER_AGENT = "vault-enablement"


def user_agent(run: str | None) -> str:
    """By which the audit log of a system tells us apart, and the requests of one flow run from others."""
    return f"{USER_AGENT} (run {run})" if run else USER_AGENT


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end. Its body may hold secrets, and is not in its ``repr``."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    url: str

    @property
    def text(self) -> str:
        """The body as text, without blanks around it."""
        return self.content.decode("utf-8", "replace").strip()

    def decoded(self) -> Any:
        """The body's JSON; None if it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):  # a RecursionError where it is nested without end
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again; None where it does not say."""
        try:
            return float(_RETRY.parse_retry_after(self.headers.get("Retry-After", "")))
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return None

    @property
    def redirect(self) -> str | None:
        """Where it redirects to, for a person; None if it does not."""
        location = self.headers.get("Location")
        return shown(location, self.url) if location and 300 <= self.status < 400 else None


@dataclass(frozen=True, slots=True)
class Server:
    """Whom we ask, and under which rules.

    Args:
        system: for the reader of an error: ``"Vault"``.
        address: where its API begins.
        context: whom we believe over TLS, and the certificate that we show.
        timeout: seconds for connecting and between two bytes of an answer.
        whole: seconds for a whole answer.
        source: what holds address and CA, for the reader of an error: ``"the connection"``.
        ca_field: what of it holds the CA.
        ca_pem: the CA of ``context``; None for the machine's store.
        proxy: ``http://host:port``; empty for that of the environment, if any.
        server_name: to expect in the certificate instead of the host name; empty for none.
        named: an error without an answer is about the address; else about what was asked.
    """

    system: str
    address: str
    context: ssl.SSLContext
    timeout: float
    whole: float
    source: str
    ca_field: str = "ca_cert"
    ca_pem: str | None = None
    proxy: str = ""
    server_name: str = ""
    named: bool = True


def given(answer: Answer | EnablementError) -> Answer:
    """The answer of `HttpSession.exchange`; raises what is an error."""
    if isinstance(answer, EnablementError):
        raise answer
    return answer


class HttpSession:
    """Connections to one server, or to a server of the same CA.

    Args:
        server: see there.
        headers: of each request; a secret is revealed on the wire only.
    """

    def __init__(self, server: Server, headers: Mapping[str, str | SecretStr] | None = None) -> None:
        self.server = server
        self._headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})}
        self._pools: dict[str, urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.clear()

    def exchange(
        self,
        method: str,
        url: str,
        *,
        subject: str,
        headers: Mapping[str, str | SecretStr] | None = None,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
    ) -> Answer | EnablementError:
        """Send one request; returns the answer, whatever its status, or the error for none.

        Args:
            method: such as ``GET``.
            url: the whole address.
            subject: what is asked about, for the reader of an error: ``"sys/auth"``.
            headers: beside those of the session.
            params: of the query.
            body: sent as JSON; a `SecretStr` in it is revealed on the wire only.

        Returns:
            The answer, or Unreachable (no answer in time, or it broke off), CertificateNotTrusted (chain or
            host name do not check out), UnexpectedAnswer (too large, or no TLS), InvalidInput (the
            environment names a proxy that cannot be used).
        """
        deadline = time.monotonic() + self.server.whole
        about = self.server.address if self.server.named else subject
        url = f"{url}?{urlencode(params)}" if params else url
        sent = {name: str(_revealed(value)) for name, value in {**self._headers, **(headers or {})}.items()}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            response = self._pool_for(url).request(
                method.upper(),
                url,
                headers=sent,
                body=None if body is None else json.dumps(body, default=_revealed).encode(),
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self.server.timeout,
            )
            content = self._read(response, deadline, subject)
        except EnablementError as error:
            return error.with_traceback(None)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, UnicodeError) as error:
            failure = error
        else:
            if response.status in _WITH_BODY and not content and "Content-Length" not in response.headers:
                # Broken off in its head, which reads like an answer without a body: "nothing is there".
                return self.unreachable(f"{response.status} that broke off before its body", about)
            return Answer(response.status, response.headers, content, url)
        # Not in the handler: an error that is raised there keeps what was caught, and its frames.
        return self._failure(failure, url, about)

    def unreachable(self, why: str, subject: str) -> Unreachable:
        """The error for no answer, or none that can be relied on."""
        return Unreachable(self.server.system, subject, f"no answer ({why})", self._check_address)

    @property
    def _check_address(self) -> str:
        return f"Check the address of {self.server.source}, and that this worker can reach it."

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float, subject: str) -> bytes:
        """The body as it comes, not in whole chunks, until ``deadline`` (of `time.monotonic`)."""
        received = bytearray()
        while chunk := response.read1(_CHUNK, decode_content=True):
            received += chunk
            if len(received) > LARGEST_ANSWER:
                response.close()
                answer = f"an answer of more than {LARGEST_ANSWER} bytes"
                remedy = f"Check that {self.server.address} is the API of {self.server.system} itself."
                raise UnexpectedAnswer(self.server.system, subject, answer, remedy, maybe_done=True)
            if time.monotonic() > deadline:
                response.close()
                raise urllib3.exceptions.ProtocolError("the answer did not end in time")
        response.release_conn()
        return bytes(received)

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        proxy = self.server.proxy or proxy_for(url)
        if proxy not in self._pools:
            options: dict[str, Any] = {"ssl_context": self.server.context}
            if self.server.server_name:
                options["server_hostname"] = self.server.server_name
            self._pools[proxy] = (
                urllib3.ProxyManager(proxy, proxy_headers=proxy_headers(proxy) or None, **options)
                if proxy
                else urllib3.PoolManager(**options)
            )
        return self._pools[proxy]

    def _failure(self, error: Exception, url: str, subject: str) -> EnablementError:
        tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
        # The other errors of urllib3 are of a connection that was there already.
        if tls is None or not isinstance(error, urllib3.exceptions.SSLError):
            return self.unreachable(root_cause(error), subject)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return CertificateNotTrusted(
                self.server.system,
                subject,
                self._problem(tls, url),
                f"Put the CA that signed the server's certificate into {self.server.ca_field} of "
                f"{self.server.source}, and use a host name that is in the certificate.",
            )
        return no_handshake(tls, self.server.system, subject, self._check_address)

    def _problem(self, error: ssl.SSLCertVerificationError, url: str) -> str:
        server, parts, found = self.server, urlsplit(url), ""
        if not server.server_name:
            address = f"https://{parts.netloc}"
            # Asked again for the names and dates that the failed handshake does not hand out.
            with contextlib.suppress(EnablementError):
                found = check_certificate(address, server.ca_pem, server.timeout, proxy=server.proxy).problem
        return found or describe(error, server.server_name or str(parts.hostname), None)


def _revealed(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, str):
        return value
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it wraps, the innermost last."""
    found = [error]
    while found[-1] not in found[:-1]:
        yield found[-1]
        inner = found[-1]
        reasons = (getattr(inner, "reason", None), *inner.args, inner.__cause__, inner.__context__)
        found.append(next((each for each in reasons if isinstance(each, BaseException)), inner))


def root_cause(error: BaseException) -> str:
    """The innermost reason: libraries wrap it in layers that print addresses of objects."""
    *_, innermost = _causes(error)
    text = str(innermost).strip() or type(innermost).__name__
    return text.rsplit("> ", 1)[-1].split(": ", 1)[-1] if "object at 0x" in text else text
