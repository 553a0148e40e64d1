"""GitHub's REST API and GraphQL over the one HTTP session: pages, rate limits, refusals.

Nothing goes to another server, and nothing waits: Prefect retries the task, and a rate limit is answered with
when to come back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Self

from pydantic import SecretStr

from runbook.addresses import check_address, check_header
from runbook.errors import (
    AccessDenied,
    Busy,
    Conflict,
    EnablementError,
    InvalidInput,
    NotAuthenticated,
    PrerequisiteMissing,
    UnexpectedAnswer,
)
from systems.github_answers import CallsLeft
from systems.http_session import Answer, HttpSession, Server, given, user_agent
from systems.trust import trust

_SECONDARY_LIMIT_SECONDS = 60.0
"""How long GitHub's documentation asks to wait when a secondary rate limit names no time."""

_MOST_PAGES = 100
"""A list that goes on for ever ends here."""

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_NAME = re.compile(r"[\w-]+/[\w.-]+", re.ASCII)
_GRAPHQL = "/graphql"


class NotAccepted(UnexpectedAnswer):
    """422: what was sent is understood, and cannot be done. ``answer`` says why."""


class GitHubSession:
    """Requests about one repository, as the owner of one token. A context manager that closes connections.

    Args:
        repository: ``owner/name``.
        token: personal access token or an App's installation token.
        api_url: where the REST API begins: https, or http on the loopback address.
            ``https://<server>/api/v3`` of a GitHub Enterprise Server.
        ca_pem: the only CA that is believed, PEM; None for the machine's store.
        timeout: seconds for connecting and between two bytes; twice that for a whole answer.
        run: id of the flow run that asks.

    Attributes:
        token_ends_at: when the token ends, as the last answers said; None if they did not, as for an App's.
        calls_left: of the REST API, as the last answer said; None where a server has no limit.

    Raises:
        InvalidInput: a name, an address, a CA or a token that cannot be one. The token is never quoted.
    """

    def __init__(
        self,
        repository: str,
        token: SecretStr,
        api_url: str = "https://api.github.com",
        ca_pem: str | None = None,
        timeout: float = 15,
        run: str | None = None,
    ) -> None:
        if not _NAME.fullmatch(repository):
            raise InvalidInput(
                "input", f"repository={repository!r}", "is not owner/name", "Give it as 'operate-first/apps'."
            )
        self.repository = repository
        self.token_ends_at: datetime | None = None
        self.calls_left: CallsLeft | None = None
        self._path = f"/repos/{repository}"
        source = "the GitOpsRepository"
        self._address = check_address(api_url, f"api_url of {source}", http="loopback").rstrip("/")
        bearer = SecretStr(f"Bearer {check_header(token, f'token of {source}')}")
        context = trust(ca_pem, f"ca_cert of {source}")
        server = Server(
            "GitHub", self._address, context, timeout, 2 * timeout, source, ca_pem=ca_pem, named=False
        )
        self._http = HttpSession(server, {**_HEADERS, "User-Agent": user_agent(run), "Authorization": bearer})
        self._known: dict[str, Answer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _send(
        self,
        method: str,
        path: str,
        subject: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repository: str = "",
        renamed: bool = False,
    ) -> Answer:
        """Send one request and return what GitHub answers to it: JSON, or nothing.

        Args:
            method: such as ``GET``.
            path: below the API, ``/repos/owner/name``.
            subject: what is asked about, for the reader of an error: ``"pull request #7"``.
            params: of the query.
            body: sent as JSON.
            headers: beside the usual ones.
            repository: ``owner/name`` where it is another one than ours; named where GitHub hides whether it
                is there.
            renamed: also ask a repository that has another name now, at the same API.

        Raises:
            NotAuthenticated: 401.
            AccessDenied: 403 that is no rate limit.
            PrerequisiteMissing: 404, 410, a redirect.
            Busy: a rate limit (with ``retry_after``), 202, 5xx.
            Conflict: 409.
            NotAccepted: 422.
            UnexpectedAnswer: anything else; not JSON, too large, of another shape.
            Unreachable, CertificateNotTrusted: as `HttpSession.exchange`.
        """
        repository = repository or self.repository
        # Of a GitHub Enterprise Server the REST API begins at /api/v3, and GraphQL is at /api/graphql.
        base = self._address.removesuffix("/v3") if path == _GRAPHQL else self._address
        answer = given(
            self._http.exchange(
                method, base + path, subject=subject, headers=headers, params=params, body=body
            )
        )
        if answer.redirect:
            by_number = re.search(r"/repositories/\d+$", answer.headers["Location"])
            if renamed and by_number:
                return self._send(method, by_number.group(), subject, repository=repository)
            raise PrerequisiteMissing(
                "GitHub",
                f"{subject} of {repository}",
                f"{answer.status}: it was moved or renamed, redirects to {answer.redirect}",
                "Put its new name, and the API's own address, into the GitOpsRepository.",
            )
        if path != _GRAPHQL:  # it has a limit of its own
            self.calls_left = _calls_left(answer.headers) or self.calls_left
        data = answer.decoded()
        if answer.status >= 400:
            raise _refusal(answer, data, subject, repository)
        if method == "GET" and answer.status == 202:
            raise Busy("GitHub", subject, "202: the answer is not ready yet", "It is retried automatically.")
        if answer.text and not isinstance(data, dict | list):
            raise self._unexpected(subject, f"{answer.status} with a body that is not JSON")
        self.token_ends_at = _token_end(answer.headers) or self.token_ends_at
        return answer

    def _ask_again(self, path: str, subject: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """The answer of now: the last one where GitHub says that it still holds.

        That is 304, which does not count against the rate limit.
        """
        key = f"{path}?{sorted((params or {}).items())}"
        known = self._known.get(key)
        etag = known.headers.get("ETag") if known else None
        headers = {"If-None-Match": etag} if etag else None
        answer = self._send("GET", path, subject, params=params, headers=headers)
        if known is None or answer.status != 304:
            known = self._known[key] = answer
        return known

    def _pages(
        self, path: str, subject: str, params: Mapping[str, str] | None = None, *, again: bool = False
    ) -> Iterator[Any]:
        """The items of a list, page by page, each as GitHub sends it.

        Args:
            path, subject, params: as of `_send`.
            again: see `_ask_again`.
        """
        for page in range(1, _MOST_PAGES + 1):
            asked: dict[str, str | int] = {**(params or {}), "per_page": 100, "page": page}
            ask = self._ask_again if again else partial(self._send, "GET")
            answer = ask(path, subject, params=asked)
            items = answer.decoded()
            if not isinstance(items, list):
                raise self._unexpected(subject, "an answer that is not a list")
            yield from items
            if 'rel="next"' not in answer.headers.get("Link", ""):
                return

    def _graphql(self, query: str, variables: Mapping[str, Any], subject: str, repository: str) -> Any:
        """What GitHub's GraphQL API answers. It refuses with 200 and ``errors``."""
        asked = {"query": query, "variables": variables}
        answer = self._send("POST", _GRAPHQL, subject, body=asked, repository=repository)
        data = answer.decoded()
        errors = data.get("errors") if isinstance(data, dict) else None
        if not errors:
            return data
        is_missing = isinstance(errors, list) and all(
            isinstance(each, dict) and each.get("type") == "NOT_FOUND" for each in errors
        )
        refused = Answer(404 if is_missing else 400, {}, b"", self._address)
        raise _refusal(refused, data, subject, repository)

    def _unexpected(self, subject: str, answer: str) -> UnexpectedAnswer:
        remedy = "Check that api_url of the GitOpsRepository is GitHub's REST API."
        return UnexpectedAnswer("GitHub", subject, answer, remedy, maybe_done=True)


def _token_end(headers: Mapping[str, str]) -> datetime | None:
    """When the token of a request ends, as the answer says: ``2026-12-01 10:00:00 UTC`` (or ``+0100``)."""
    said = headers.get("github-authentication-token-expiration", "").replace("UTC", "+0000")
    try:
        return datetime.strptime(said, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _calls_left(headers: Mapping[str, str]) -> CallsLeft | None:
    left, limit = headers.get("X-RateLimit-Remaining", ""), headers.get("X-RateLimit-Limit", "")
    return CallsLeft(int(left), int(limit)) if left.isdecimal() and limit.isdecimal() else None


def _refusal(answer: Answer, body: object, subject: str, repository: str) -> EnablementError:
    """The error that an answer of 400 or more deserves. A proxy's page in HTML says nothing that helps."""
    data = body if isinstance(body, dict) else {}
    where = f"{subject} of {repository}"
    status, said = answer.status, _words(answer.status, data)
    wait = _rate_limit(answer, data)
    if wait is not None or status == 429 or status >= 500:
        remedy = "It is retried automatically."
        return Busy("GitHub", where, said, remedy, maybe_done=status >= 500, retry_after=wait)
    kind, remedy = _REFUSALS.get(status, (UnexpectedAnswer, _COMPARE))
    return kind("GitHub", where, said, remedy.replace("REPOSITORY", repository))


_GRANT = (
    "Give the token contents and pull requests, read and write, on REPOSITORY; "
    "its organization may have to approve the token."
)
_CHECK = "Check the name REPOSITORY. GitHub also answers 404 for what the token may not see."
_COMPARE = "Compare the request with what is there on GitHub."
_REFUSALS: dict[int, tuple[type[EnablementError], str]] = {
    401: (
        NotAuthenticated,
        "The token has expired or belongs to another server: put a new one into the GitOpsRepository.",
    ),
    403: (AccessDenied, _GRANT),
    451: (AccessDenied, _GRANT),
    404: (PrerequisiteMissing, _CHECK),
    410: (PrerequisiteMissing, _CHECK),
    409: (Conflict, "Check it on GitHub, then retry."),
    422: (NotAccepted, _COMPARE),
}


def _words(status: int, data: Mapping[str, Any]) -> str:
    """Status and sentences of a refusal, for a person."""
    parts = [str(data.get("message") or "no reason given").split("\n", 1)[0]]
    errors = data.get("errors")
    for detail in errors if isinstance(errors, list) else ():
        if isinstance(detail, dict):
            named = " ".join(str(detail[key]) for key in ("resource", "field", "code") if detail.get(key))
            parts.append(str(detail.get("message") or named))
    return f"{status} {'; '.join(parts)}"[:500]


def _rate_limit(answer: Answer, data: Mapping[str, Any]) -> float | None:
    """Seconds until GitHub wants to be asked again; None if it is no rate limit."""
    if answer.status not in (403, 429):
        return answer.retry_after if answer.status == 503 else None
    if answer.retry_after is not None:
        return answer.retry_after
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isdecimal():
        return max(1.0, float(reset) - _now_of(answer))
    return _SECONDARY_LIMIT_SECONDS if "rate limit" in str(data.get("message")).lower() else None


def _now_of(answer: Answer) -> float:
    """The server's clock, by which it says when a limit ends; ours if it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
