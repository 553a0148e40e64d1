"""One API server, asked through the `kubernetes` library over the one HTTP session.

The library puts requests together: login, addresses, queries. What it does by default and is done here:

- Its own HTTP follows redirects, retries, and reads an answer whole: `HttpSession` is put in its place.
- Inline certificates and keys go through temporary files that live as long as the process. Here the SSL
  context is ours; the key of a client certificate is in memory, on Linux, while OpenSSL reads it as a file.
- The library's typed APIs import hundreds of models, which takes 0.7 s of each run's start, and raise a
  `pydantic.ValidationError` that quotes the answer, tokens included, where it does not fit. Here answers are
  plain JSON, and an answer of another shape becomes an error that quotes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kubernetes.client import ApiClient, Configuration

from runbook.addresses import check_header
from runbook.errors import (
    AccessDenied,
    Busy,
    EnablementError,
    InvalidInput,
    NotAuthenticated,
    PrerequisiteMissing,
    UnexpectedAnswer,
)
from systems.http_session import Answer, HttpSession, Server, given, user_agent
from systems.openshift.kubeconfig import Login
from systems.proxies import proxy_for

SYSTEM = "OpenShift"

Found = TypeVar("Found")
Query = Mapping[str, str | int]


def if_allowed(ask: Callable[[], Found]) -> Found | None:
    """What a question finds; None where we may not ask it, which some questions need not be for a run."""
    try:
        return ask()
    except NotAuthenticated:
        raise
    except AccessDenied:
        return None


class _Rest:
    """Stands where the library has its own HTTP; returns errors, as `HttpSession.exchange` does."""

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, **_options: Any
    ) -> Answer | EnablementError:
        return self._http.exchange(method, url, subject=urlsplit(url).path, headers=headers, body=body)


class Api:
    """One API server, asked with one login.

    Args:
        login: see `Login`.
        timeout: seconds for one answer.
        source: what holds the login, for the reader of an error.
        asks_once, run: see `OpenShift`.
    """

    def __init__(
        self, login: Login, timeout: float, source: str, *, asks_once: bool = False, run: str | None = None
    ) -> None:
        self._login = login
        self._source = source
        self._asks_once = asks_once
        self._answers: dict[str, Answer] = {}
        configuration = Configuration(host=login.host)
        if login.token:
            token = check_header(login.token, f"token for {login.host}")
            configuration.api_key = {"BearerToken": f"Bearer {token}"}
        server = Server(
            SYSTEM,
            login.host,
            login.ssl_context(),
            timeout,
            timeout,
            source,
            "certificate-authority-data in the kubeconfig",
            ca_pem=login.ca_pem,
            proxy=login.proxy or proxy_for(login.host),
            server_name=login.server_name,
        )
        self._http = HttpSession(server)
        self._client = ApiClient(configuration)
        self._client.user_agent = user_agent(run)
        # As client-go: the keys of a cluster's tokens have a media type of their own.
        self._client.default_headers["Accept"] = "application/json, */*"
        self._client.rest_client = _Rest(self._http)  # type: ignore[assignment]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self,
        subject: str,
        path: str,
        names: Mapping[str, str] | None = None,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """The object that the server answers with: to ``GET``, or to ``POST`` where there is a body.

        Args:
            subject: what is asked about, for the reader of an error: ``"namespace vault"``.
            path: such as ``/api/v1/namespaces/{namespace}``.
            names: what stands in the path, by its name there.
            query: parameters of the URL.
            body: sent as JSON; a `SecretStr` in it is revealed on the wire only.

        Raises:
            NotAuthenticated: 401.
            AccessDenied: 403.
            PrerequisiteMissing: 404 for an object or a kind.
            InvalidInput: 400 or 422, with the server's sentence.
            UnexpectedAnswer: anything that no API server answers, a redirect, a flood.
            CertificateNotTrusted: chain or host name do not check out.
            Busy: 429 and 5xx, with ``retry_after`` if the server named it.
            Unreachable: no answer in time, or it broke off.
        """
        return self._object(self._send(path, names, query, body), subject)

    def find(
        self,
        subject: str,
        path: str,
        names: Mapping[str, str] | None = None,
        *,
        kind_may_be_missing: bool = False,
    ) -> Mapping[str, Any] | None:
        """As `ask` with ``GET``, but None where the API server says that there is no such object.

        Args:
            subject, path, names: see `ask`.
            kind_may_be_missing: also None where the server does not serve the kind. It says so in plain text,
                as any web server in Go does; so for the kinds that every API server has, that is an error.
        """
        answer = self._send(path, names)
        is_no_path = kind_may_be_missing and answer.text == "404 page not found"
        if answer.status == 404 and (is_no_path or _status_of(answer)):
            return None
        return self._object(answer, subject)

    def unexpected(self, subject: str, answer: str, *, maybe_done: bool = False) -> UnexpectedAnswer:
        """The error for an answer that no API server gives."""
        remedy = f"Check that {self._login.host} is the API server itself, not a web page."
        return UnexpectedAnswer(SYSTEM, subject, answer, remedy, maybe_done=maybe_done)

    def _send(
        self,
        path: str,
        names: Mapping[str, str] | None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        question = repr((path, names, query, body))
        if known := self._answers.get(question):
            return known
        found: Any = self._client.call_api(
            *self._client.param_serialize(
                "GET" if body is None else "POST",
                path,
                path_params=names,
                query_params=list((query or {}).items()),
                body=body,
                auth_settings=["BearerToken"],
            )
        )
        answer = given(found)
        if self._asks_once:
            self._answers[question] = answer
        return answer

    def _object(self, answer: Answer, subject: str) -> Mapping[str, Any]:
        if not 200 <= answer.status < 300:
            raise self._refusal(subject, answer)
        found = answer.decoded()
        if not isinstance(found, Mapping) or found.get("kind") == "Status":
            found = None  # whatever it is: tracebacks show variables
            raise self.unexpected(
                subject, "the answer is not the object that Kubernetes documents", maybe_done=True
            )
        return found

    def _refusal(self, subject: str, answer: Answer) -> EnablementError:
        status, found = answer.status, _status_of(answer)
        said = str(found.get("message") or "no reason given")[:1000]
        if status == 401:
            return NotAuthenticated(
                SYSTEM,
                subject,
                f"401 {self._expiry() or said}",
                "The credentials have expired or were revoked: put a new kubeconfig into "
                f"{self._source} (`python -m deployments.openshift.kubeconfig`).",
            )
        if status == 403:
            return AccessDenied(
                SYSTEM, subject, said, "Ask a cluster administrator for this right, then retry."
            )
        if status == 404 and found:
            return PrerequisiteMissing(SYSTEM, subject, said, "Create it, or correct the name.")
        if status in {400, 422} and found:
            return InvalidInput(SYSTEM, subject, said, "Correct the value that the API server names.")
        if status == 429 or status >= 500:
            return Busy(
                SYSTEM,
                subject,
                f"{status} {said}",
                "It is retried automatically.",
                maybe_done=status >= 500,
                retry_after=answer.retry_after,
            )
        if answer.redirect:
            said = f"redirects to {answer.redirect}; redirects are not followed"
        return self.unexpected(subject, f"{status} {said}")

    def _expiry(self) -> str:
        end = self._login.expires_at
        return (
            f"the credentials expired on {end:%Y-%m-%d %H:%M} UTC" if end and end < datetime.now(UTC) else ""
        )


def _status_of(answer: Answer) -> Mapping[str, Any]:
    """The API server's status object; empty where a proxy or a web server at that address answers."""
    found = answer.decoded()
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}
