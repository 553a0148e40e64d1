"""What holds for Vault, GitHub and the clusters alike, because one session carries all three."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    EnablementError,
    PermanentError,
    UnexpectedAnswer,
    Unreachable,
)
from sandbox.certificates import CertificateAuthority
from systems.github import GitHub
from systems.http_session import LARGEST_ANSWER
from systems.openshift import review_with
from systems.vault import Vault
from systems.vault_http import VaultHttp
from tests.secrets.exceptions import said
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server

AUTHORITY = CertificateAuthority("of all three")
SECRETS = ("a-token-that-nobody-may-see", "a-payload-that-nobody-may-see")
HIDDEN = tuple(map(SecretStr, SECRETS))
PATHS = (
    "/v1/auth/k/config",
    "/api/v3/repos/sandbox/gitops",
    "/apis/authentication.k8s.io/v1/tokenreviews",
)


def write_to_vault(url: str, ca_pem: str | None) -> None:
    with Vault(VaultHttp(url, HIDDEN[0], ca_pem=ca_pem, timeout=1)) as vault:
        vault.write("auth/k/config", {"token_reviewer_jwt": HIDDEN[1]})


def ask_github(url: str, ca_pem: str | None) -> object:
    with GitHub("sandbox/gitops", HIDDEN[0], f"{url}/api/v3", ca_pem, timeout=1) as github:
        return github.access()


def review_on_the_cluster(url: str, ca_pem: str | None) -> object:
    return review_with(url, ca_pem, HIDDEN[0], HIDDEN[1], timeout=1)


CLIENTS: dict[str, Callable[[str, str | None], object]] = {
    "Vault": write_to_vault,
    "GitHub": ask_github,
    "OpenShift": review_on_the_cluster,
}
ANSWERS: dict[str, tuple[Answer, type[EnablementError], str, bool]] = {
    "a page": (Answer(200, b"<html>"), UnexpectedAnswer, "JSON|not the object", True),
    "a flood": (
        Answer(200, b" " * (LARGEST_ANSWER + 1)),
        UnexpectedAnswer,
        f"more than {LARGEST_ANSWER} bytes",
        True,
    ),
    "a redirect": (
        Answer(302, b"", {"Location": "https://127.0.0.1:1/"}),
        PermanentError,
        "redirects",
        False,
    ),
    "a refusal": (
        Answer.json({"kind": "Status", "message": "no", "errors": ["no"]}, 403),
        AccessDenied,
        "no",
        False,
    ),
    "a failure": (Answer(500), Busy, "500", True),
    "a drip": (
        Answer(200, b"x" * 10_000, seconds_between_bytes=0.02),
        Unreachable,
        "did not end in time",
        True,
    ),
}
"""Each with its error, words of that, and whether a write may have been done all the same."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with scripted_server(tmp_path_factory.mktemp("server"), AUTHORITY) as running:
        yield running


def shows_no_secret(error: EnablementError) -> bool:
    """Neither does the error, nor any variable of the frames that it came through, nor what led to it."""
    return not [name for name, content in said(error) for one in SECRETS if one.encode() in content]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_bad_answer_is_an_error_that_shows_no_secret(server: Scripted, name: str, answer: str) -> None:
    given, kind, says, maybe_done = ANSWERS[answer]
    server.answers = dict.fromkeys(PATHS, given)
    with pytest.raises(kind, match=says) as caught:
        CLIENTS[name](server.url, AUTHORITY.pem)
    assert (caught.value.system, caught.value.maybe_done) == (name, maybe_done)
    server.requests.clear()  # they hold the token, and are in a variable of this test
    assert shows_no_secret(caught.value)


@pytest.mark.parametrize("name", CLIENTS)
def test_nobody_there_and_silence_and_somebody_else_bring_no_secret_into_an_error(
    server: Scripted, name: str
) -> None:
    server.requests.clear()
    with pytest.raises(Unreachable, match="refused") as nobody:
        CLIENTS[name]("https://127.0.0.1:1", AUTHORITY.pem)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unreachable, match="timed out") as silence,
    ):
        CLIENTS[name](f"https://127.0.0.1:{silent.getsockname()[1]}", AUTHORITY.pem)
    for error in (nobody.value, silence.value):
        assert error.maybe_done
        assert "object at" not in error.answer
        assert shows_no_secret(error)
    for ca_pem in (None, CertificateAuthority("another").pem):
        with pytest.raises(CertificateNotTrusted, match=r"into (ca_cert|certificate-auth)") as other:
            CLIENTS[name](server.url, ca_pem)
        assert shows_no_secret(other.value)
    assert server.requests == []


@pytest.mark.parametrize("name", CLIENTS)
def test_a_person_s_netrc_and_certificates_of_requests_do_not_count(
    server: Scripted, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "ca.pem").write_text(AUTHORITY.pem)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server.requests.clear()
    server.answers = dict.fromkeys(PATHS, ANSWERS["a failure"][0])
    with pytest.raises(CertificateNotTrusted):
        CLIENTS[name](server.url, CertificateAuthority("another").pem)
    with pytest.raises(EnablementError):
        CLIENTS[name](server.url, AUTHORITY.pem)
    (request,) = server.requests
    assert "Basic" not in str(request[2])
