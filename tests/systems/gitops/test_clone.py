"""The clone holds the base branch, fetches little, and leaves nothing behind."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from deployments.sandbox.certificates import CertificateAuthority
from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    EnablementError,
    InvalidInput,
    PrerequisiteMissing,
    TransientError,
    Unreachable,
)
from systems.gitops import GitOpsClone

if TYPE_CHECKING:
    from tests.systems.gitops.conftest import GitServer

OVERLAY = "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_tree_is_that_of_the_base_branch(server: GitServer, token: SecretStr) -> None:
    with GitOpsClone.open(server.url(), "main", token) as clone:
        assert clone.base_commit == server.head("main")
        assert clone.tree.read(OVERLAY) == (server.work() / OVERLAY).read_text()
        assert clone.tree.entries("external-secrets") == ("base/", "overlays/")
        assert clone.tree.entries("external-secrets/base")[0] == "kustomization.yaml"
        for missing in ("nowhere", "nowhere/at/all", OVERLAY + "/below", "external-secrets"):
            assert clone.tree.read(missing) is None
        assert clone.tree.entries("nowhere") == clone.tree.entries(OVERLAY) == ()


def test_contents_come_in_one_request_for_a_folder(server: GitServer, token: SecretStr) -> None:
    with GitOpsClone.open(server.url(), "main", token, interesting=["argocd", "cluster-scope"]) as clone:
        opened = len(server.requests)
        assert clone.tree.read(OVERLAY)
        assert clone.tree.read("cluster-scope/overlays/prod/moc/smaug/kustomization.yaml")
        assert len(server.requests) == opened

        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        fetched = len(server.requests)
        assert fetched > opened
        assert clone.tree.read("external-secrets/overlays/emea/flint/kustomization.yaml")
        assert len(server.requests) == fetched


def test_a_file_that_is_no_manifest_is_read_when_asked_for(server: GitServer, token: SecretStr) -> None:
    with GitOpsClone.open(server.url(), "main", token) as clone:
        assert clone.tree.read("README.md") == (server.work() / "README.md").read_text()


def test_a_link_is_not_followed(server: GitServer, token: SecretStr) -> None:
    (server.work() / "link.yaml").symlink_to("/etc/passwd")
    server.commit("other.yaml", "a: b\n")

    with GitOpsClone.open(server.url(), "main", token) as clone:
        assert clone.tree.read("link.yaml") is None
        assert "link.yaml" in clone.tree.entries("")


def test_a_server_without_partial_clones_gives_the_same_tree(server: GitServer, token: SecretStr) -> None:
    server.git("-C", "gitops.git", "config", "uploadpack.allowFilter", "false")

    with GitOpsClone.open(server.url(), "main", token) as clone:
        assert clone.tree.read(OVERLAY) == (server.work() / OVERLAY).read_text()


def test_a_path_on_this_disk_can_be_cloned(server: GitServer) -> None:
    with GitOpsClone.open(str(server.root / "gitops.git"), "main", None) as clone:
        assert clone.base_commit == server.head("main")


def test_the_clone_is_private_and_is_gone_afterwards(
    server: GitServer, token: SecretStr, temporary: Path
) -> None:
    with GitOpsClone.open(server.url(), "main", token):
        (folder,) = temporary.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written
        assert not [path for path in written if token.get_secret_value().encode() in path.read_bytes()]

    assert not list(temporary.iterdir())


Break = Callable[["GitServer"], None]


def _rename_main(server: GitServer) -> None:
    server.git("-C", "gitops.git", "branch", "-m", "main", "trunk")


FAILURES: dict[str, tuple[Break, str, type[EnablementError], str]] = {
    "a wrong token": (lambda server: None, "wrong", AccessDenied, "Authentication failed"),
    "no token": (lambda server: None, "", AccessDenied, "could not read Username"),
    "no right to read": (
        lambda server: server.answers.update({"GET git-upload-pack": 403}),
        "right",
        AccessDenied,
        "403",
    ),
    "no such repository": (
        lambda server: server.answers.update({"GET git-upload-pack": 404}),
        "right",
        PrerequisiteMissing,
        "not found",
    ),
    "no such branch": (
        _rename_main,
        "right",
        PrerequisiteMissing,
        "Remote branch main not found",
    ),
    "a server that is down": (
        lambda server: server.answers.update({"GET git-upload-pack": 503}),
        "right",
        Busy,
        "503",
    ),
    "too many requests": (
        lambda server: server.answers.update({"GET git-upload-pack": 429}),
        "right",
        Busy,
        "429",
    ),
}


@pytest.mark.parametrize(("break_it", "given", "kind", "answer"), FAILURES.values(), ids=FAILURES.keys())
def test_a_clone_that_fails_says_why_and_leaves_nothing(
    server: GitServer,
    token: SecretStr,
    temporary: Path,
    break_it: Break,
    given: str,
    kind: type[EnablementError],
    answer: str,
) -> None:
    break_it(server)
    used = {"right": token, "wrong": SecretStr("ghp_wrong"), "": None}[given]

    with pytest.raises(kind, match=answer) as raised:
        GitOpsClone.open(server.url(), "main", used)

    assert raised.value.system == "Git"
    assert server.url() in raised.value.subject
    assert raised.value.remedy
    assert not list(temporary.iterdir())


def test_a_closed_port_is_unreachable(token: SecretStr) -> None:
    with pytest.raises(Unreachable, match=r"Failed to connect|Connection refused"):
        GitOpsClone.open("http://127.0.0.1:9/gitops.git", "main", token)


def test_a_name_that_does_not_resolve_is_unreachable(token: SecretStr) -> None:
    with pytest.raises(Unreachable, match="Could not resolve"):
        GitOpsClone.open("https://git.invalid/gitops.git", "main", token)


def test_a_server_that_never_answers_is_given_up(server: GitServer, token: SecretStr) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TransientError, match="timed out"):
        GitOpsClone.open(f"http://127.0.0.1:{silent.getsockname()[1]}/a.git", "main", token, timeout=0.5)


def test_a_certificate_of_the_given_authority_is_trusted(
    secure_server: GitServer, token: SecretStr, authority: CertificateAuthority
) -> None:
    with GitOpsClone.open(secure_server.url(), "main", token, ca_pem=authority.pem) as clone:
        assert clone.tree.read(OVERLAY)


@pytest.mark.parametrize("ca", ["none given", "another authority"])
def test_any_other_certificate_is_not_and_the_token_stays_here(
    secure_server: GitServer, token: SecretStr, ca: str
) -> None:
    ca_pem = CertificateAuthority("another").pem if ca == "another authority" else None

    with pytest.raises(CertificateNotTrusted, match="certificate"):
        GitOpsClone.open(secure_server.url(), "main", token, ca_pem=ca_pem)

    assert not secure_server.requests


def test_an_authority_that_is_no_certificate_is_told_as_such(
    secure_server: GitServer, token: SecretStr
) -> None:
    with pytest.raises(CertificateNotTrusted):
        GitOpsClone.open(secure_server.url(), "main", token, ca_pem="not a certificate")


@pytest.mark.parametrize(
    "url",
    [
        "https://x-access-token:ghp_secret@github.com/o/r.git",
        "https://ghp_secret@github.com/o/r.git",
        "https://github.com/o/r.git?token=ghp_secret",
        "ssh://ghp_secret@github.com/o/r.git",
        "git@github.com:o/ghp_secret.git",
        "ext::sh -c 'echo ghp_secret'",
        "--upload-pack=ghp_secret",
    ],
)
def test_an_address_with_credentials_or_of_another_kind_is_refused_unquoted(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        GitOpsClone.open(url, "main", None)

    assert "ghp_secret" not in str(raised.value)
