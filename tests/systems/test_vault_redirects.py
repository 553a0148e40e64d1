"""A Vault that redirects: only a standby is followed, and nobody else gets a token or a payload."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connections import VaultConnection
from runbook.errors import AccessDenied, CertificateNotTrusted, UnexpectedAnswer
from sandbox.certificates import CertificateAuthority
from systems.vault import Vault
from tests.systems.openshift.scripted_api import Answer, Scripted, scripted_server

AUTHORITY = CertificateAuthority("of Vault")
PATHS = ("/v1/sys/policies/acl/p", "/v1/auth/k/config", "/v1/auth/approle/login", "/v1/auth/k/role")
REQUESTS: dict[str, Callable[[Vault], object]] = {
    "read": lambda vault: vault.policy("p"),
    "list": lambda vault: vault.role_names("k"),
    "write": lambda vault: vault.write("auth/k/config", {"token_reviewer_jwt": SecretStr("hunter2")}),
    "login": lambda vault: vault.log_in("approle", {"role_id": "r", "secret_id": SecretStr("hunter2")}),
}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scripted, Scripted]]:
    """Two servers under one authority: the one that we ask, and another one."""
    first, second = (tmp_path_factory.mktemp("vault") for _ in range(2))
    with scripted_server(first, AUTHORITY) as asked, scripted_server(second, AUTHORITY) as other:
        yield asked, other


@pytest.fixture
def asked(two: tuple[Scripted, Scripted]) -> Scripted:
    for server in two:
        server.requests.clear()
        server.answers = {path: Answer.json({"data": {"policy": "text", "keys": []}}) for path in PATHS}
    return two[0]


@pytest.fixture
def other(asked: Scripted, two: tuple[Scripted, Scripted]) -> Scripted:
    return two[1]


def redirect(server: Scripted, status: int, to: str) -> None:
    """Redirect every request: ``{path}`` in ``to`` becomes its path."""
    server.answers = {path: Answer(status, b"", {"Location": to.format(path=path)}) for path in PATHS}


def client(server: Scripted, **changes: Any) -> Vault:
    fields = {"address": server.url, "ca_cert": server.ca_pem, "token": "hvs.the-token", **changes}
    return VaultConnection(**fields).client()


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_plain_http_is_not_followed(asked: Scripted, status: int, request_: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        plain.setblocking(False)
        address = f"http://127.0.0.1:{plain.getsockname()[1]}"
        redirect(asked, status, address + "{path}")
        with client(asked) as vault, pytest.raises(UnexpectedAnswer) as caught:
            REQUESTS[request_](vault)
        with pytest.raises(BlockingIOError):  # nobody has come
            plain.accept()
    assert f"{status}, redirects to {address}/v1/" in caught.value.answer
    assert "Set address of" in caught.value.remedy
    assert not caught.value.maybe_done
    assert len(asked.requests) == 1


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(("request_", "method"), [("read", "GET"), ("write", "POST"), ("login", "POST")])
def test_a_standby_is_followed_with_method_body_and_token(
    asked: Scripted, other: Scripted, status: int, request_: str, method: str
) -> None:
    redirect(asked, status, other.url + "{path}")
    if request_ == "login":
        other.answers[PATHS[2]] = Answer.json({"auth": {"client_token": "hvs.session"}})
    with client(asked) as vault:
        REQUESTS[request_](vault)
    ((_, path, _, body),) = asked.requests
    ((there, again, headers, body_there),) = other.requests
    assert (there, again, body_there) == (method, path, body)
    token = {name.lower(): value for name, value in headers.items()}.get("x-vault-token")
    assert token == (None if request_ == "login" else "hvs.the-token")


@pytest.mark.parametrize(
    ("status", "to", "changes"),
    [
        (301, "{other}{path}", {}),
        (302, "{other}{path}", {}),
        (303, "{other}{path}", {}),
        (307, "{other}/login", {}),
        (307, "{other}{path}?token=hunter2", {}),
        (307, "https://me:hunter2@127.0.0.1:{port}{path}", {}),
        (307, "https://[::1{path}", {}),
        (307, "/ui/", {}),
        (307, "{other}{path}", {"ca_cert": None}),
    ],
)
def test_any_other_redirect_is_an_error_that_shows_no_credentials(
    asked: Scripted, other: Scripted, status: int, to: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    port = other.url.rpartition(":")[2]
    redirect(asked, status, to.replace("{other}", other.url).replace("{port}", port))
    if "ca_cert" in changes:
        # As where the machine's store vouches for both: a server that anybody could have.
        file = tmp_path / "machine.pem"
        file.write_text(asked.ca_pem)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(file))
            vault = client(asked, **changes)
    else:
        vault = client(asked)
    with vault, pytest.raises(UnexpectedAnswer, match=f"{status}, redirects to ") as caught:
        vault.policy("p")
    assert other.requests == []
    assert "hunter2" not in str(caught.value)


def test_a_second_redirect_is_not_followed(asked: Scripted, other: Scripted) -> None:
    redirect(asked, 307, other.url + "{path}")
    redirect(other, 307, asked.url + "{path}")
    with client(asked) as vault, pytest.raises(UnexpectedAnswer, match="307, redirects to"):
        vault.policy("p")
    assert (len(asked.requests), len(other.requests)) == (1, 1)


def test_a_server_that_our_ca_does_not_vouch_for_is_not_followed(asked: Scripted, tmp_path: Path) -> None:
    with scripted_server(tmp_path, CertificateAuthority("another")) as stranger:
        redirect(asked, 307, stranger.url + "{path}")
        with client(asked) as vault, pytest.raises(CertificateNotTrusted):
            vault.policy("p")
        assert stranger.requests == []


@pytest.mark.parametrize("token", ["", "a b", "hvs.x\n", "hvs.\u2013"])
def test_a_session_whose_token_no_header_can_carry_is_no_session(asked: Scripted, token: str) -> None:
    asked.answers[PATHS[2]] = Answer.json({"auth": {"client_token": token + "hunter2" * bool(token)}})
    with client(asked) as vault, pytest.raises(UnexpectedAnswer, match="without a token") as caught:
        REQUESTS["login"](vault)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("errors", [1, True, "word", {"a": "b"}, None])
def test_errors_of_another_shape_are_none(asked: Scripted, errors: object) -> None:
    asked.answers = {path: Answer.json({"errors": errors}, 403) for path in PATHS}
    with client(asked) as vault, pytest.raises(AccessDenied):
        vault.policy("p")
