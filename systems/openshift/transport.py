"""HTTP to one API server through the `kubernetes` library, and its failures as errors of the pipeline.

What the library does by default and is changed here:

- urllib3 retries three times and follows redirects. Prefect retries the step, and a redirect would send a
  token or a TokenReview to another host: neither is done.
- An answer is read whole, whatever its size and however slowly it drips. Here both are bounded.
- Inline certificates and keys go through temporary files that live as long as the process. Here the SSL
  context is ours; the key of a client certificate is in memory, on Linux, while OpenSSL reads it as a file.
- The library's typed APIs import hundreds of models, which takes 0.7 s of each run's start, and raise a
  `pydantic.ValidationError` that quotes the answer, tokens included, where it does not fit. Here answers are
  plain JSON, and an answer of another shape becomes an error that quotes nothing.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject, RESTResponse

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
from systems.openshift.login_context import context_of
from systems.openshift.refusals import is_status, no_path, reason, retry_after, words
from systems.tls import check_certificate, describe

SYSTEM = "OpenShift"
_WITH_BODY = (200, 201, 404)

Query = Mapping[str, str | int]
"""Parameters of a request's URL."""


def path_of(*parts: str) -> str:
    """The path of a request, each part quoted: ``path_of("api", "v1", "namespaces", name)``."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


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
        self.client.rest_client = _BoundedRest(configuration, context_of(login), timeout)
        self.client.user_agent = "vault-enablement"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()  # type: ignore[no-untyped-call]

    def ask(
        self,
        subject: str,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """The object that the server answers with.

        Args:
            subject: what is asked about, for the reader of an error: ``"namespace vault"``.
            method: ``GET`` or ``POST``.
            path: see `path_of`.
            query: parameters of the URL.
            body: sent as JSON; a `SecretStr` in it is revealed on the wire only.

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
            return self._send(method, path, query, body, "application/json")

    def find(
        self,
        subject: str,
        path: str,
        *,
        accept: str = "application/json",
        kind_may_be_missing: bool = False,
    ) -> Mapping[str, Any] | None:
        """As `ask` with ``GET``, but None where the API server says that there is no such object.

        Args:
            subject: see `ask`.
            path: see `path_of`.
            accept: media type of the answer.
            kind_may_be_missing: also None where the server does not serve the kind. It says so in plain text,
                as any web server in Go does; so for the kinds that every API server has, that is an error.
        """
        with self._translated(subject):
            try:
                return self._send("GET", path, None, None, accept)
            except ApiException as error:
                if error.status == 404 and (is_status(error) or (kind_may_be_missing and no_path(error))):
                    return None
                raise

    def _send(
        self, method: str, path: str, query: Query | None, body: Mapping[str, Any] | None, accept: str
    ) -> Mapping[str, Any]:
        headers = {"Accept": accept} | ({"Content-Type": "application/json"} if body else {})
        request = self.client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self.client.call_api(*request)
        found = self.client.response_deserialize(answer, {"2XX": "object"}).data
        if not isinstance(found, Mapping) or found.get("kind") == "Status":
            raise TypeError
        return found

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
                f"no answer ({reason(error)})",
                "Check the address of the ClusterConnection, and that this worker may reach it.",
            ) from None
        except TooLargeError as error:
            raise self._unreadable(subject, str(error)) from None
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            # How the library fails on what is no JSON, and we on JSON of another shape.
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
            return self._unexpected(self.login.host, f"no TLS handshake is possible ({reason(cause)})")
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
        status, said = error.status or 0, words(error)
        if status == 401:
            return AccessDenied(SYSTEM, subject, f"401 {self._expiry() or said}", _LOG_IN_AGAIN)
        if status == 403:
            return AccessDenied(
                SYSTEM, subject, said, "Ask an administrator of the cluster for this right, then run again."
            )
        if status == 404 and is_status(error):
            return PrerequisiteMissing(SYSTEM, subject, said, "Create it, or correct the name.")
        if status in {400, 422} and is_status(error):
            return InvalidInput(SYSTEM, subject, said, "Correct the value that the API server names.")
        if status == 429 or status >= 500:
            busy = Busy(SYSTEM, subject, f"{status} {said}", "It is tried again by itself.")
            busy.retry_after = retry_after(error)
            busy.maybe_done = status >= 500
            return busy
        return self._unexpected(subject, f"{status} {said}")

    def _expiry(self) -> str:
        end = self.login.expires_at
        return (
            f"the credentials expired on {end:%Y-%m-%d %H:%M} UTC" if end and end < datetime.now(UTC) else ""
        )


_LOG_IN_AGAIN = (
    "The credentials have expired or were withdrawn: `oc login` again (or make a new ServiceAccount token) "
    "and put the new kubeconfig into the ClusterConnection."
)


__all__ = ["SYSTEM", "Api", "path_of"]
