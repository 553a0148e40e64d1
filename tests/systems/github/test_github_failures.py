"""What goes wrong between us and GitHub: each a plain error, after one request."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority
from deployments.sandbox.github_api import GitHubApi, RateLimits
from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from systems.bounded import LARGEST_ANSWER
from systems.github import GitHub
from tests.systems.github.conftest import TOKEN, Scripted, client_of, http
from tests.systems.openshift.scripted_api import Answer, scripted_server

REPOSITORY = {
    "full_name": "sandbox/gitops",
    "default_branch": "main",
    "archived": False,
    "fork": False,
    "clone_url": "https://github.example.com/sandbox/gitops.git",
    "html_url": "https://github.example.com/sandbox/gitops",
}

FAILURES: list[tuple[bytes, type[EnablementError], str]] = [
    (http(401, {"message": "Bad credentials"}), AccessDenied, "401 Bad credentials"),
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
    (http(301, {"message": "Moved"}, {"Location": "/repositories/1"}), PrerequisiteMissing, "301"),
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


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({"Retry-After": "7"}, "You have exceeded a secondary rate limit.", 7),
        ({}, "You have exceeded a secondary rate limit. Please wait a few minutes.", 60),
        (
            {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1700000300",
                "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
            },
            "API rate limit exceeded for user ID 1.",
            300,
        ),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000", "Date": "no date"},
            "API rate limit exceeded for user ID 1.",
            1,
        ),
    ],
)
@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_says_when_to_come_back(
    scripted: Scripted, status: int, headers: dict[str, str], message: str, expected: float
) -> None:
    scripted.answers = [http(status, {"message": message}, headers)]
    with scripted.client() as github, pytest.raises(Busy) as caught:
        github.access()
    assert caught.value.retry_after == expected
    assert len(scripted.requests) == 1


def test_maintenance_says_when_to_come_back(scripted: Scripted) -> None:
    scripted.answers = [http(503, {"message": "Maintenance"}, {"Retry-After": "30"})]
    with scripted.client() as github, pytest.raises(Busy) as caught:
        github.access()
    assert caught.value.retry_after == 30


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


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        GitHub("sandbox/gitops", SecretStr(TOKEN), api_url=f"http://127.0.0.1:{port}") as github,
        pytest.raises(Unreachable) as caught,
    ):
        github.access()
    assert "refused" in caught.value.answer
    assert "object at" not in caught.value.answer


def test_an_answer_that_does_not_come_or_does_not_end_is_unreachable(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            GitHub("sandbox/gitops", SecretStr(TOKEN), api_url=url, timeout=0.2) as github,
            pytest.raises(Unreachable),
        ):
            github.access()
    with scripted_server(tmp_path, authority) as script:
        script.answers["/repos/sandbox/gitops"] = Answer(200, b"x" * 10_000, seconds_between_bytes=0.02)
        with (
            GitHub("sandbox/gitops", SecretStr(TOKEN), script.url, authority.pem, timeout=0.3) as github,
            pytest.raises(Unreachable) as caught,
        ):
            github.access()
    assert "did not end in time" in caught.value.answer


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority("authority of a GitHub Enterprise Server")


def test_exactly_the_given_ca_is_believed(tmp_path: Path, authority: CertificateAuthority) -> None:
    with scripted_server(tmp_path, authority) as script:
        script.answers["/repos/sandbox/gitops"] = Answer.json(REPOSITORY)
        with GitHub("sandbox/gitops", SecretStr(TOKEN), script.url, authority.pem) as github:
            assert github.access().default_branch == "main"
        for ca_pem in (None, CertificateAuthority("another").pem):
            with (
                GitHub("sandbox/gitops", SecretStr(TOKEN), script.url, ca_pem) as github,
                pytest.raises(CertificateNotTrusted) as caught,
            ):
                github.access()
            assert "ca_cert" in caught.value.remedy
        assert len(script.requests) == 1, "the token is sent to nobody else"


def test_a_next_page_on_another_server_is_not_followed(scripted: Scripted) -> None:
    elsewhere = {
        "Link": '<http://127.0.0.2:1/api/v3/repos/sandbox/gitops/issues/1/comments?page=2>; rel="next"'
    }
    scripted.answers = [http(200, [{"id": 1, "body": "Another"}], elsewhere)]
    with scripted.client() as github, pytest.raises(UnexpectedAnswer):
        github.comment_once(1, "occasion", "Text")
    assert len(scripted.requests) == 1


def test_a_list_whose_filter_was_left_out_is_sifted(scripted: Scripted) -> None:
    def side(owner: str, branch: str) -> dict[str, Any]:
        return {"label": f"{owner}:{branch}", "ref": branch, "sha": "0" * 40, "user": None}

    others = [
        {"number": 1, "head": side("sandbox", "other"), "base": side("sandbox", "main")},
        {"number": 2, "head": side("somebody", "topic"), "base": side("sandbox", "main")},
        {"number": 3, "head": side("sandbox", "topic"), "base": side("sandbox", "release")},
    ]
    scripted.answers = [http(200, others)]
    with scripted.client() as github:
        assert github.find_pull_request("sandbox", "topic", "main") is None
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    "token", ["", "ghp_with\nline", " ghp_blank", "ghp_blank ", "ghp_\u00fcmlaut", "ghp_\x00"]
)
def test_a_token_that_cannot_be_one_is_refused_without_being_told(token: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        GitHub("sandbox/gitops", SecretStr(token))
    assert not token or token.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://github.example.com",
        "github.example.com",
        "https://x:y@github.example.com",
        "https://",
        "ftp://h/",
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        GitHub("sandbox/gitops", SecretStr(TOKEN), api_url=address)
    assert "x:y" not in str(caught.value)


@pytest.mark.parametrize("repository", ["gitops", "a/b/c", "../x", "a b/c", "sandbox/", "a/b?c", "a/b\n"])
def test_a_name_that_is_no_repository_is_refused(repository: str) -> None:
    with pytest.raises(InvalidInput):
        GitHub(repository, SecretStr(TOKEN))


def test_nothing_waits_for_github(scripted: Scripted) -> None:
    scripted.answers = [http(403, {"message": "API rate limit exceeded"}, {"Retry-After": "3600"})]
    with scripted.client() as github, pytest.raises(Busy):
        github.open_pull_request(title="T", body="B", head_owner="o", branch="b", base="main")
    assert scripted.asked == ["POST /api/v3/repos/sandbox/gitops/pulls"]
