"""HTTP to one API server through the `kubernetes` library, and its failures as errors of the pipeline.

What the library does by default and is changed here:

- urllib3 retries three times and follows redirects. Prefect retries the step, and a redirect would send a
  token or a TokenReview to another host: neither is done.
- An answer is read whole, whatever its size and however slowly it drips. Here both are bounded.
- Inline certificates and keys go through temporary files that live as long as the process. Here the SSL
  context is ours; the key of a client certificate is in memory, on Linux, while OpenSSL reads it as a file.
- An answer that does not fit the library's models raises a `pydantic.ValidationError` that quotes the answer,
  tokens included. It is replaced by an error that does not.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject, RESTResponse
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import TooLargeError, read_body
from systems.openshift.kubeconfig import Login
from systems.tls import check_certificate, describe, trusted_context

SYSTEM = "OpenShift"
_WITH_BODY = (200, 201, 404)
_Found = TypeVar("_Found")


class _BoundedRest(RESTClientObject):
    """The library's HTTP with our SSL context; answers are bounded in size and in time."""

    def __init__(self, configuration: Configuration, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(configuration)
        self.pool_manager.connection_pool_kw["ssl_context"] = context
        self._timeout = timeout

    def request(self, method: str, url: str, *args: Any, **options: Any) -> RESTResponse:
        options["_request_timeout"] = self._timeout
        deadline = time.monotonic() + self._timeout
        response: RESTResponse = super().request(method, url, *args, **options)  # type: ignore[no-untyped-call]
        received = read_body(response.response, deadline)
        headers = response.response.headers
        if response.status in _WITH_BODY and not received and "Content-Length" not in headers:
            # Broken off in its head, which reads like an answer without a body.
            msg = f"{response.status} that broke off before its body"
            raise urllib3.exceptions.ProtocolError(msg)
        response.data = received  # type: ignore[assignment]
        return response


class Api:
    """One API server, asked with one login.

    Args:
        login: see `Login`.
        timeout: seconds for one answer.
    """

    def __init__(self, login: Login, timeout: float) -> None:
        self.login = login
        self._timeout = timeout
        configuration = Configuration(
            host=login.host,
            retries=False,
            tls_server_name=login.server_name or None,
            proxy=login.proxy or None,
        )
        if login.token:
            configuration.api_key = {"BearerToken": f"Bearer {login.token.get_secret_value()}"}
        self.client = ApiClient(configuration)
        self.client.rest_client = _BoundedRest(configuration, _context(login), timeout)
        self.client.user_agent = "vault-enablement"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()  # type: ignore[no-untyped-call]

    def ask(self, subject: str, call: Callable[[], _Found]) -> _Found:
        """The answer to ``call``, which uses `client`.

        Args:
            subject: what is asked about, for the reader of an error: ``"namespace vault"``.

        Raises:
            AccessDenied: 401 or 403.
            PrerequisiteMissing: 404 for an object or a kind.
            InvalidInput: 400 or 422, with the server's sentence.
            UnexpectedAnswer: anything that no API server answers, a redirect, a flood.
            CertificateNotTrusted: chain or host name do not check out.
            Busy: 429 and 5xx, with ``retry_after`` if the server named it.
            Unreachable: no answer in time, or it broke off.
        """
        with self._translated(subject):
            return call()

    def find(
        self, subject: str, call: Callable[[], _Found], *, kind_may_be_missing: bool = False
    ) -> _Found | None:
        """As `ask`, but None where the API server says that there is no such object.

        Args:
            subject: see `ask`.
            call: see `ask`.
            kind_may_be_missing: also None where the server does not serve the kind. It says so in plain text,
                as any web server in Go does; so for the kinds that every API server has, that is an error.
        """
        with self._translated(subject):
            try:
                return call()
            except ApiException as error:
                if error.status == 404 and (_is_status(error) or (kind_may_be_missing and _no_path(error))):
                    return None
                raise

    @contextmanager
    def _translated(self, subject: str) -> Iterator[None]:
        # `from None` everywhere: the library's exceptions carry whole answers and headers.
        try:
            yield
        except ApiException as error:
            cause = error.__context__
            if isinstance(cause, urllib3.exceptions.SSLError):
                raise self._tls(cause) from None
            raise self._refusal(subject, error) from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise Unreachable(
                SYSTEM,
                self.login.host,
                f"no answer ({_reason(error)})",
                "Check the address of the ClusterConnection, and that this worker may reach it.",
            ) from None
        except TooLargeError as error:
            raise self._unreadable(subject, str(error)) from None
        except (ValueError, TypeError, AttributeError) as error:
            # How the library's deserialization fails on what is no JSON, or JSON of another shape.
            raise self._unreadable(
                subject, f"an answer of another shape than Kubernetes documents ({type(error).__name__})"
            ) from None

    def _unreadable(self, subject: str, answer: str) -> UnexpectedAnswer:
        error = self._unexpected(subject, answer)
        error.maybe_done = True
        return error

    def _unexpected(self, subject: str, answer: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            SYSTEM, subject, answer, f"Check that {self.login.host} is the API server itself, not a web page."
        )

    def _tls(self, error: urllib3.exceptions.SSLError) -> EnablementError:
        cause = next((part for part in error.args if isinstance(part, Exception)), error)
        if not isinstance(cause, ssl.SSLCertVerificationError):
            if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                return Unreachable(
                    SYSTEM, self.login.host, "the connection broke off in the TLS handshake", "Try again."
                )
            return self._unexpected(self.login.host, f"no TLS handshake is possible ({_reason(cause)})")
        return CertificateNotTrusted(
            SYSTEM,
            self.login.host,
            self._problem(cause),
            "Put the CA that signed the API server's certificate into certificate-authority-data of the "
            "kubeconfig, and use a host name that is in the certificate.",
        )

    def _problem(self, error: ssl.SSLCertVerificationError) -> str:
        if not self.login.server_name and not self.login.proxy:
            # Asked again for the names and dates that the failed handshake does not hand out.
            report = check_certificate(self.login.host, self.login.ca_pem, self._timeout)
            if report.problem:
                return report.problem
        return describe(error, self.login.server_name or self.login.host, None)

    def _refusal(self, subject: str, error: ApiException) -> EnablementError:
        status, words = error.status or 0, _words(error)
        if status == 401:
            return AccessDenied(SYSTEM, subject, f"401 {self._expiry() or words}", _LOG_IN_AGAIN)
        if status == 403:
            return AccessDenied(
                SYSTEM, subject, words, "Ask an administrator of the cluster for this right, then run again."
            )
        if status == 404 and _is_status(error):
            return PrerequisiteMissing(SYSTEM, subject, words, "Create it, or correct the name.")
        if status in {400, 422} and _is_status(error):
            return InvalidInput(SYSTEM, subject, words, "Correct the value that the API server names.")
        if status == 429 or status >= 500:
            busy = Busy(SYSTEM, subject, f"{status} {words}", "It is tried again by itself.")
            busy.retry_after = _retry_after(error)
            busy.maybe_done = status >= 500
            return busy
        return self._unexpected(subject, f"{status} {words}")

    def _expiry(self) -> str:
        end = self.login.expires_at
        return (
            f"the credentials expired on {end:%Y-%m-%d %H:%M} UTC" if end and end < datetime.now(UTC) else ""
        )


_LOG_IN_AGAIN = (
    "The credentials have expired or were withdrawn: `oc login` again (or make a new ServiceAccount token) "
    "and put the new kubeconfig into the ClusterConnection."
)


def _context(login: Login) -> ssl.SSLContext:
    context = trusted_context(login.ca_pem, "kubeconfig, certificate-authority-data")
    if login.certificate_pem and login.key_pem:
        with _as_file(login.certificate_pem, login.key_pem) as pair:
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                problem = error.reason or "unreadable"
            else:
                return context
        raise InvalidInput(
            "input",
            "kubeconfig, client-certificate-data and client-key-data",
            f"are not a PEM certificate and its key ({problem})",
            "Put the output of `oc config view --minify --flatten --raw` into the ClusterConnection.",
        )
    return context


@contextmanager
def _as_file(certificate_pem: str, key_pem: SecretStr) -> Iterator[str]:
    """A path at which OpenSSL, which reads keys from files only, finds a certificate and its key.

    On Linux it leads to memory that has no name on any disk: a process that is killed leaves no key behind.
    Elsewhere it is a file (0600) in a directory (0700), both gone when the block ends.
    """
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("client.pem"), "w") as memory:
            memory.write(f"{certificate_pem}\n{key_pem.get_secret_value()}")
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory, "client.pem")
        pair.touch(mode=0o600)
        pair.write_text(f"{certificate_pem}\n{key_pem.get_secret_value()}")
        yield str(pair)


def _body(error: ApiException) -> dict[str, Any]:
    try:
        body = json.loads(error.body or "")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _is_status(error: ApiException) -> bool:
    """Whether it is the API server's own answer, and not that of a proxy or web server at that address."""
    return _body(error).get("kind") == "Status"


def _no_path(error: ApiException) -> bool:
    return str(error.body or "").strip() == "404 page not found"


def _words(error: ApiException) -> str:
    message = _body(error).get("message")
    return str(message)[:1000] if message else str(error.reason or "without a reason")


def _retry_after(error: ApiException) -> float | None:
    value = str((error.headers or {}).get("Retry-After") or "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _reason(error: BaseException) -> str:
    """The last sentence of an error of urllib3, which begins with the connection's object address."""
    text = str(error).strip() or type(error).__name__
    return text.rsplit(">: ", 1)[-1].rsplit("): ", 1)[-1]


__all__ = ["SYSTEM", "Api"]
