"""GitHub's refusals, and what goes wrong on the way there, as errors of the pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import requests
from github.GithubException import BadAttributeException, GithubException

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import root_cause

_SECONDARY_LIMIT_SECONDS = 60.0
"""How long GitHub's documentation asks to wait when a secondary rate limit names no time."""


@contextmanager
def translated(subject: str, repository: str) -> Iterator[None]:
    """Turn what PyGithub and requests raise into errors of the pipeline.

    Args:
        subject: what is asked about, for the reader of an error: ``"pull request #7"``.
        repository: ``owner/name``, which is named where GitHub hides whether it is there.

    Raises:
        AccessDenied: 401, and 403 that is no rate limit.
        PrerequisiteMissing: 404, 410, 301.
        Busy: a rate limit (``retry_after`` is set), 202, 5xx.
        Conflict: 409.
        CertificateNotTrusted: chain or host name do not check out.
        Unreachable: no answer in time, or it broke off.
        UnexpectedAnswer: anything else; not JSON, too large, of another shape.
    """
    try:
        yield
    except GithubException as error:
        raise refusal(error, subject, repository) from None
    except (BadAttributeException, AssertionError):
        # PyGithub asserts that the next page of a list is on the same server.
        answer = "an answer of another shape than GitHub's"
        unreadable = UnexpectedAnswer("GitHub", subject, answer, "Check api_url of the GitOps connection.")
        unreadable.maybe_done = True
        raise unreadable from None
    except requests.exceptions.SSLError as error:
        _forget_request(error)
        raise CertificateNotTrusted(
            "GitHub",
            subject,
            root_cause(error),
            "Put the CA that signed the server's certificate into ca_cert of the GitOps connection.",
        ) from None
    except requests.exceptions.RequestException as error:
        _forget_request(error)
        raise Unreachable(
            "GitHub",
            subject,
            f"no answer ({root_cause(error)})",
            "Check api_url of the GitOps connection, and that this worker may reach it.",
        ) from None


def refusal(error: GithubException, subject: str, repository: str) -> EnablementError:
    """The error that an answer of 400 or more deserves."""
    status, said = error.status, words(error)
    where = f"{subject} of {repository}"
    wait = _retry_after(error)
    if wait is not None or status == 429 or status >= 500:
        busy = Busy("GitHub", where, said, "It is tried again by itself.")
        busy.retry_after = wait
        busy.maybe_done = status >= 500
        return busy
    if status == 401:
        return AccessDenied(
            "GitHub",
            where,
            said,
            "The token has expired or is not one of this server: put a new one into the GitOps connection.",
        )
    if status in (403, 451):
        return AccessDenied(
            "GitHub",
            where,
            said,
            f"Give the token contents and pull requests, read and write, on {repository}; "
            "an organization may also have to approve it.",
        )
    if status in (404, 410):
        return PrerequisiteMissing(
            "GitHub",
            where,
            said,
            f"Check the name {repository}. GitHub says 404 also of what the token may not see.",
        )
    if status == 409:
        return Conflict("GitHub", where, said, "Look at it on GitHub, then run again.")
    return UnexpectedAnswer("GitHub", where, said, "Compare the request with what is there on GitHub.")


def words(error: GithubException) -> str:
    """Status and sentences of a refusal, for a person."""
    data = error.data if isinstance(error.data, dict) else {}
    parts = [str(data.get("message") or "no reason given").split("\n", 1)[0]]
    for detail in data.get("errors") or ():
        if isinstance(detail, dict):
            named = " ".join(str(detail[key]) for key in ("resource", "field", "code") if detail.get(key))
            parts.append(str(detail.get("message") or named))
    return f"{error.status} {'; '.join(parts)}"[:500]


def _retry_after(error: GithubException) -> float | None:
    """Seconds until GitHub wants to be asked again; None if it is no rate limit."""
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    if error.status not in (403, 429):
        wait = headers.get("retry-after", "")
        return float(wait) if error.status == 503 and wait.isdecimal() else None
    if headers.get("retry-after", "").isdecimal():
        return float(headers["retry-after"])
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        return max(1.0, float(headers["x-ratelimit-reset"]) - _now_of(headers))
    message = error.data.get("message", "") if isinstance(error.data, dict) else ""
    return _SECONDARY_LIMIT_SECONDS if "rate limit" in message.lower() else None


def _now_of(headers: dict[str, str]) -> float:
    """The server's clock, by which it says when a limit ends; ours if it does not tell."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def _forget_request(error: requests.exceptions.RequestException) -> None:
    """The request carries the token, and Python keeps the error as the context of the one we raise."""
    error.request = error.response = None
