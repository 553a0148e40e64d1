"""What goes wrong between us and GitHub: each a plain error, after one request."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import pickle
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    Conflict,
    EnablementError,
    InvalidInput,
    NotAuthenticated,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from sandbox.github_api import GitHubApi, RateLimits
from systems.github import GitHub
from systems.http_session import LARGEST_ANSWER
from tests.systems.github.conftest import TOKEN, Scripted, client_of, http

REPOSITORY = {
    "full_name": "sandbox/gitops",
    "default_branch": "main",
    "archived": False,
    "fork": False,
    "clone_url": "https://github.example.com/sandbox/gitops.git",
}

FAILURES: list[tuple[bytes, type[EnablementError], str]] = [
    (http(401, {"message": "Bad credentials"}), NotAuthenticated, "401 Bad credentials"),
    (http(403, {"message": "Resource not accessible"}), AccessDenied, "403 Resource not accessible"),
    (http(451, {"message": "Repository access blocked"}), AccessDenied, "451"),
    (http(404, {"message": "Not Found"}), PrerequisiteMissing, "404 Not Found"),
    (http(410, {"message": "Gone"}), PrerequisiteMissing, "410 Gone"),
    (http(409, {"message": "Git Repository is empty."}), Conflict, "409 Git Repository is empty."),
    (http(418, {"message": "I'm a teapot"}), UnexpectedAnswer, "418 I'm a teapot"),
    (http(400, [1, 2]), UnexpectedAnswer, "400 no reason given"),
    (http(429, {"message": "Too many"}), Busy, "429 Too many"),
    (http(500, {"message": "Server Error"}), Busy, "500 Server Error"),
    (http(502, b"<html><h1>Unicorn!</h1></html>"), Busy, "502 no reason given"),
    (http(503, b""), Busy, "503"),
    (http(504, b'{"message":'), Busy, "504"),
    (http(202, {}), Busy, "202"),
    (http(301, {"message": "Moved"}, {"Location": "/sandbox/other"}), PrerequisiteMissing, "301"),
    (http(307, b"", {"Location": "http://evil.example.com/"}), PrerequisiteMissing, "307"),
    (http(200, b"<html>A proxy's page</html>"), UnexpectedAnswer, "not JSON"),
    (http(200, b'{"full_name": "sand'), UnexpectedAnswer, "not JSON"),
    (http(200, b"3"), UnexpectedAnswer, "not JSON"),
    (http(200, b""), UnexpectedAnswer, "without a usable"),
    (http(200, [REPOSITORY]), UnexpectedAnswer, "without a usable"),
    (http(200, {**REPOSITORY, "archived": "perhaps"}), UnexpectedAnswer, "without a usable archived"),
    (http(200, {**REPOSITORY, "default_branch": None}), UnexpectedAnswer, "default_branch"),
    (http(200, b" " * (LARGEST_ANSWER + 1)), UnexpectedAnswer, f"more than {LARGEST_ANSWER} bytes"),
    (http(200, b'{"full_name"', length=500), Unreachable, "no answer"),
    (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ful', Unreachable, "no answer"),
    (http(200, b"no gzip", {"Content-Encoding": "gzip"}), Unreachable, "no answer"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", Unreachable, "no answer"),
    (b"", Unreachable, "no answer"),
]


@pytest.mark.parametrize(("answer", "kind", "said"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_bad_answer_is_a_plain_error_after_one_request(
    scripted: Scripted,
    answer: bytes,
    kind: type[EnablementError],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.answers = [answer]
    with scripted.client() as github, pytest.raises(EnablementError) as caught:
        github.access()
    error = caught.value
    assert type(error) is kind
    assert (error.system, said in error.answer) == ("GitHub", True), error.answer
    assert error.remedy
    assert scripted.asked == ["GET /api/v3/repos/sandbox/gitops"]
    assert f"Bearer {TOKEN}" in scripted.requests[0] or f"token {TOKEN}" in scripted.requests[0]
    told = "".join(traceback.format_exception(error)) + caplog.text + repr(github) + repr(error)
    assert TOKEN not in told
    assert TOKEN.encode() not in pickle.dumps(error)
    while error is not None:
        assert getattr(error, "request", None) is None, "a request of requests carries the token"
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


SPENT = {"X-RateLimit-Remaining": "0"}


@pytest.mark.parametrize(
    ("statuses", "headers", "message", "expected"),
    [
        ((403, 429), {"Retry-After": "7"}, "You have exceeded a secondary rate limit.", 7),
        ((403, 429), {}, "You have exceeded a secondary rate limit. Please wait a few minutes.", 60),
        (
            (403, 429),
            {**SPENT, "X-RateLimit-Reset": "1700000300", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"},
            "API rate limit exceeded for user ID 1.",
            300,
        ),
        ((403, 429), {**SPENT, "X-RateLimit-Reset": "1000", "Date": "no date"}, "API rate limit exceeded", 1),
        ((503,), {"Retry-After": "30"}, "Maintenance", 30),
    ],
)
def test_a_rate_limit_says_when_to_come_back_and_nothing_waits_for_it(
    scripted: Scripted, statuses: tuple[int, ...], headers: dict[str, str], message: str, expected: float
) -> None:
    for status in statuses:
        scripted.answers = [http(status, {"message": message}, headers)]
        with scripted.client() as github, pytest.raises(Busy) as caught:
            github.access()
        assert caught.value.retry_after == expected
    assert len(scripted.requests) == len(statuses)


def test_the_limits_of_the_stand_in_are_understood(stand_in: GitHubApi) -> None:
    stand_in.rate_limits = RateLimits(requests=1, window_seconds=1000)
    with client_of(stand_in) as github:
        github.access()
        with pytest.raises(Busy) as caught:
            github.access()
    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after < 1100
    stand_in.rate_limits = RateLimits(writes_per_minute=0, retry_after_seconds=9)
    with client_of(stand_in, "reviewer") as github, pytest.raises(Busy) as caught:
        github.ensure_fork("forks", 1)
    assert caught.value.retry_after == 9


def test_a_compressed_answer_in_chunks_is_read(scripted: Scripted) -> None:
    packed = gzip.compress(json.dumps(REPOSITORY).encode())
    chunks = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:50], packed[50:])) + b"0\r\n\r\n"
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    scripted.answers = [head + chunks]
    with scripted.client() as github:
        assert github.access().full_name == "sandbox/gitops"
    bomb = gzip.compress(b" " * (LARGEST_ANSWER * 4))
    scripted.answers = [http(200, bomb, {"Content-Encoding": "gzip"})]
    with scripted.client() as github, pytest.raises(UnexpectedAnswer):
        github.access()


def test_a_next_page_is_asked_for_at_our_own_server_wherever_its_link_leads(scripted: Scripted) -> None:
    elsewhere = {"Link": '<http://127.0.0.2:1/api/v3/repos/o/r/issues/1/comments?page=2>; rel="next"'}
    scripted.answers = [
        http(200, {"login": "pipeline"}),
        http(200, [{"body": "Another"}], elsewhere),
        http(200, []),
        http(201, {}),
    ]
    with scripted.client() as github:
        assert github.comment_once(1, "occasion", "Text")
    comments = "/api/v3/repos/sandbox/gitops/issues/1/comments"
    pages = [f"GET {comments}?per_page=100&page={page}" for page in (1, 2)]
    assert scripted.asked == ["GET /api/v3/user", *pages, f"POST {comments}"]


def test_a_list_whose_filter_was_left_out_is_sifted(scripted: Scripted) -> None:
    def one(number: int, owner: str, branch: str, base: str) -> dict[str, Any]:
        head = {"label": f"{owner}:{branch}", "ref": branch, "sha": "0" * 40, "user": None}
        return {"number": number, "state": "open", "head": head, "base": {"ref": base}}

    others = [one(1, "sandbox", "other", "main"), one(2, "somebody", "topic", "main")]
    scripted.answers = [http(200, [*others, one(3, "sandbox", "topic", "release")])]
    with scripted.client() as github:
        assert github.find_pull_request("sandbox", "topic", "main") is None
        assert github.open_heads("main") == {1: "0" * 40, 2: "0" * 40}
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    ("repository", "token", "api_url"),
    [
        *(("sandbox/gitops", token, "") for token in ("", "ghp_with\nline", " ghp_blank", "ghp_\u00fcmlaut")),
        *(
            ("sandbox/gitops", TOKEN, address)
            for address in ("http://github.example.com", "https://x:y@github.example.com", "https://")
        ),
        *((name, TOKEN, "") for name in ("gitops", "a/b/c", "../x", "a b/c", "sandbox/", "a/b?c", "a/b\n")),
    ],
)
def test_what_cannot_be_a_name_a_token_or_an_address_is_refused_without_being_told(
    repository: str, token: str, api_url: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        GitHub(repository, SecretStr(token), api_url=api_url or "https://api.github.com")
    assert not token or token.strip() not in str(caught.value)
    assert "x:y" not in str(caught.value)


@pytest.mark.parametrize("answer", [{"message": "no list"}, [], 5])
def test_a_history_of_another_shape_is_nobodys(scripted: Scripted, answer: object) -> None:
    scripted.answers = [http(200, answer)]
    with scripted.client() as github, contextlib.suppress(UnexpectedAnswer):
        assert github.last_commit_of("a.yaml", "main") is None


@pytest.mark.parametrize("end", ["soon", "0001-01-01 00:00:00 +2359", ""])
def test_an_end_of_the_token_that_no_calendar_has_is_not_known(scripted: Scripted, end: str) -> None:
    scripted.answers = [http(200, REPOSITORY, {"github-authentication-token-expiration": end})]
    with scripted.client() as github:
        github.access()
        assert github.token_ends_at is None
