"""PyGithub on connections of ours.

What PyGithub does by itself and we do not want: it retries for minutes (Prefect retries the task, and a rate
limit is answered with when to come back), pauses between requests, waits without end while an answer is 202,
follows redirects, reads an answer whole whatever its size, and trusts certifi beside a private CA.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from github import Auth
from github.Requester import HTTPSRequestsConnectionClass, Requester, RequestsResponse
from pydantic import SecretStr

from runbook.errors import (
    Busy,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
)
from systems.bounded import TooLargeError, read_response
from systems.trust import session

_WITH_BODY = (200, 201, 404)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Answer(RequestsResponse):
    """An answer that was read already."""

    def __init__(self, response: requests.Response, text: str) -> None:
        super().__init__(response)
        self._text = text

    def read(self) -> str:
        return self._text


class _Connection(HTTPSRequestsConnectionClass):
    """One session for all requests of a client, with our trust and bounded answers."""

    def __init__(self, api_url: str, http: requests.Session, timeout: float) -> None:
        parts = urlsplit(api_url)
        super().__init__(parts.hostname or "", parts.port)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._timeout = timeout
        self.session = http

    def getresponse(self) -> _Answer:
        deadline = time.monotonic() + 2 * self._timeout
        response = self.session.request(
            self.verb,
            f"{self._origin}{self.url}",
            headers=self.headers,
            data=self.input,
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        )
        with response:
            try:
                received = read_response(response, deadline)
            except TooLargeError as error:
                raise _unexpected(str(error)) from None
        _refuse_detours(self.verb, response)
        if response.status_code in _WITH_BODY and not received and "Content-Length" not in response.headers:
            # Broken off in its head, which reads like an answer without a body: "no pull request".
            msg = f"{response.status_code} that broke off before its body"
            raise requests.exceptions.ConnectionError(msg)
        return _Answer(response, _checked(response.status_code, received.decode("utf-8", "replace")))


def _refuse_detours(verb: str, response: requests.Response) -> None:
    if response.is_redirect or response.is_permanent_redirect:
        raise PrerequisiteMissing(
            "GitHub",
            "the repository",
            f"{response.status_code}: it was moved or renamed",
            "Put its new name, and the API's own address, into the GitOps connection.",
        )
    if verb == "GET" and response.status_code == 202:
        raise Busy("GitHub", "the API", "202: the answer is not ready yet", "It is tried again by itself.")


def _checked(status: int, text: str) -> str:
    """The text of an answer that PyGithub can read: JSON, and an object if it is a refusal."""
    if not text.strip():
        return ""
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = None
    if status >= 400:
        # A proxy's page in HTML says nothing that helps; the status does.
        return text if isinstance(decoded, dict) and isinstance(decoded.get("message", ""), str) else ""
    if not isinstance(decoded, dict | list):
        raise _unexpected(f"{status} with a body that is not JSON")
    return text


def _unexpected(answer: str) -> UnexpectedAnswer:
    error = UnexpectedAnswer(
        "GitHub", "the API", answer, "Check that api_url of the GitOps connection is GitHub's REST API."
    )
    error.maybe_done = True
    return error


class BoundedRequester(Requester):
    """PyGithub's requester, bound to one connection of ours. Nothing goes to another server.

    Args:
        api_url: where the REST API begins; https, or http on the loopback address.
        token: sent as a bearer token.
        ca_pem: the only CA that is believed; None for the machine's store.
        timeout: seconds for connecting and between two bytes; twice that for a whole answer.

    Raises:
        InvalidInput: an address or a token that cannot be used. The message never quotes the token.
    """

    def __init__(self, api_url: str, token: SecretStr, ca_pem: str | None, timeout: float) -> None:
        address = _checked_address(api_url)
        self._http = session(ca_pem, "ca_cert of the GitOps connection")
        self._connection = _Connection(address, self._http, timeout)
        super().__init__(
            auth=Auth.Token(_checked_token(token)),
            base_url=address,
            timeout=int(timeout),
            user_agent="vault-enablement",
            per_page=100,
            verify=True,
            retry=None,
            pool_size=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version="2022-11-28",
        )

    def requestJson(  # noqa: N802 - PyGithub's name
        self,
        verb: str,
        url: str,
        parameters: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        input: Any | None = None,  # noqa: A002 - PyGithub's name
        cnx: object = None,
        follow_302_redirect: bool = False,
    ) -> tuple[int, dict[str, Any], str]:
        """Send one request over our connection, whatever connection PyGithub had in mind."""
        return super().requestJson(verb, url, parameters, headers, input, self._connection)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        super().close()


def _checked_address(api_url: str) -> str:
    parts = urlsplit(api_url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    usable = (parts.scheme == "https" or local) and parts.hostname and "@" not in parts.netloc
    if not usable or parts.query or parts.fragment:
        raise InvalidInput(
            "input",
            "api_url of the GitOps connection",
            "is not an https address without credentials",
            "Give https://api.github.com, or https://<server>/api/v3 for a GitHub Enterprise Server.",
        )
    return api_url.rstrip("/")


def _checked_token(token: SecretStr) -> str:
    text = token.get_secret_value()
    # requests quotes a header that it cannot send in its exception: such a token must not get so far.
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInput(
            "input",
            "token of the GitOps connection",
            "is empty, or holds a blank, a line end or a character that no token has",
            "Copy the token again, without anything before or after it.",
        )
    return text
