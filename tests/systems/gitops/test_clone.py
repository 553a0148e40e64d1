"""The clone holds the base branch, fetches little, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

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
from sandbox.certificates import CertificateAuthority
from systems.gitops import GitOpsClone
from tests.systems.gitops.git_server import BRANCH, KUSTOMIZATION, TOKEN, GitServer, propose_in


def try_to_open(url: str, token: SecretStr | None = TOKEN, **options: float) -> None:
    with GitOpsClone.open(url, "main", token, timeout=options.get("timeout", 60)):
        pass


@pytest.mark.parametrize("partial", ["true", "false"])
def test_the_tree_is_that_of_the_base_branch(server: GitServer, partial: str) -> None:
    server.git("config", "uploadpack.allowFilter", partial)
    url = server.url().replace("http:", "HTTP:")  # Git itself knows no such scheme
    with GitOpsClone.open(url, "main", TOKEN) as clone:
        assert clone.base_commit == server.head("main")
        for there in (KUSTOMIZATION, "README.md"):
            assert clone.tree.read(there) == server.file(there).read_text()
        assert clone.tree.entries("external-secrets") == ("base/", "overlays/")
        assert clone.tree.entries("external-secrets/base")[0] == "kustomization.yaml"
        for missing in ("nowhere", "nowhere/at/all", KUSTOMIZATION + "/below", "external-secrets"):
            assert clone.tree.read(missing) is None
        assert clone.tree.entries("nowhere") == clone.tree.entries(KUSTOMIZATION) == ()


def test_contents_come_in_one_request_for_a_folder(server: GitServer) -> None:
    with server.clone(interesting=["argocd", "cluster-scope"]) as clone:
        opened = len(server.requests)
        assert clone.tree.read(KUSTOMIZATION)
        assert clone.tree.read("cluster-scope/overlays/prod/moc/smaug/kustomization.yaml")
        assert len(server.requests) == opened

        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        fetched = len(server.requests)
        assert fetched > opened
        assert clone.tree.read("external-secrets/overlays/emea/flint/kustomization.yaml")
        assert len(server.requests) == fetched


def test_a_link_is_not_followed(server: GitServer) -> None:
    server.file("link.yaml").symlink_to("/etc/passwd")
    server.commit("other.yaml", "a: b\n")

    with server.clone() as clone:
        assert clone.tree.read("link.yaml") is None
        assert "link.yaml" in clone.tree.entries("")


def test_the_clone_is_private_and_is_gone_afterwards(server: GitServer, temporary: Path) -> None:
    with server.clone():
        (folder,) = temporary.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written
        assert not [path for path in written if TOKEN.get_secret_value().encode() in path.read_bytes()]

    assert not list(temporary.iterdir())


def test_a_clone_of_the_head_costs_one_look_and_one_that_is_behind_is_made_anew(
    server: GitServer, temporary: Path
) -> None:
    with server.clone(interesting=["external-secrets"]) as clone:
        opened = len(server.requests)
        assert not clone.renew()
        assert len(server.requests) == opened + 2, "the server says what it can, and what it has"

        head = server.change_an_edited_file()
        assert clone.renew()
        assert clone.base_commit == head
        assert "aaa.yaml" in (clone.tree.read(KUSTOMIZATION) or "")
        assert propose_in(clone).pushed
        assert len(list(temporary.iterdir())) == 1

    assert not list(temporary.iterdir())


def test_where_the_base_branch_is_the_server_is_not_asked_once_it_has_told(server: GitServer) -> None:
    with server.clone() as clone:
        clone.tell(clone.base_commit)
        opened = len(server.requests)
        assert not clone.renew()
        assert len(server.requests) == opened
        head = server.change_an_edited_file()
        assert clone.renew(), "it was told of one moment"
        clone.tell("somewhere else")
        assert not clone.renew()
        assert clone.base_commit == head


def test_a_clone_is_renewed_no_more_when_its_branch_is_gone(server: GitServer, temporary: Path) -> None:
    with server.clone() as clone:
        server.git("branch", "-m", "main", "trunk")
        with pytest.raises(PrerequisiteMissing, match="Remote branch main not found"):
            clone.renew()

    assert not list(temporary.iterdir())


def test_what_was_pushed_since_the_last_look_is_not_overwritten(server: GitServer) -> None:
    server.propose()
    with server.clone() as clone:
        server.change_an_edited_file()
        clone.renew()
        theirs = server.commit("theirs.yaml", "a: b\n", branch=BRANCH)
        with pytest.raises(Busy):
            propose_in(clone)
        assert server.head(BRANCH) == theirs


@pytest.mark.parametrize(
    ("broken", "token", "kind", "answer"),
    [
        ("", SecretStr("ghp_wrong"), AccessDenied, "did not accept ours"),
        ("", None, AccessDenied, "did not accept ours"),
        ("403", TOKEN, AccessDenied, "403"),
        ("404", TOKEN, PrerequisiteMissing, "not found"),
        ("no branch main", TOKEN, PrerequisiteMissing, "Remote branch main not found"),
        ("503", TOKEN, Busy, "503"),
        ("429", TOKEN, Busy, "429"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value),
)
def test_a_clone_that_fails_says_why_and_leaves_nothing(
    server: GitServer,
    temporary: Path,
    broken: str,
    token: SecretStr | None,
    kind: type[EnablementError],
    answer: str,
) -> None:
    if broken.isdigit():
        server.answers["GET git-upload-pack"] = int(broken)
    elif broken:
        server.git("branch", "-m", "main", "trunk")

    with pytest.raises(kind, match=answer) as raised:
        try_to_open(server.url(), token)

    assert raised.value.system == "Git"
    assert server.url() in raised.value.subject
    assert raised.value.remedy
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("url", "kind", "answer"),
    [
        ("http://127.0.0.1:9/gitops.git", Unreachable, r"Failed to connect|Connection refused"),
        ("https://git.invalid/gitops.git", Unreachable, "Could not resolve"),
        ("silent", TransientError, "timed out"),
    ],
)
def test_a_server_that_is_not_there_or_never_answers_is_given_up(
    silent: str, url: str, kind: type[EnablementError], answer: str
) -> None:
    with pytest.raises(kind, match=answer):
        try_to_open(silent if url == "silent" else url, timeout=0.5 if url == "silent" else 60)


def test_a_certificate_of_the_given_authority_is_trusted(
    secure_server: GitServer, authority: CertificateAuthority
) -> None:
    with secure_server.clone(ca_pem=authority.pem) as clone:
        assert clone.tree.read(KUSTOMIZATION)


@pytest.mark.parametrize(
    "ca_pem",
    [None, CertificateAuthority("another").pem, "not a certificate"],
    ids=["none given", "another authority", "no certificate"],
)
def test_any_other_certificate_is_not_and_the_token_stays_here(
    secure_server: GitServer, ca_pem: str | None
) -> None:
    with pytest.raises(CertificateNotTrusted, match="certificate"), secure_server.clone(ca_pem=ca_pem):
        pass

    assert not secure_server.requests


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
        "file:///ghp_secret/r.git",
        "/ghp_secret/r.git",
    ],
)
def test_an_address_with_credentials_or_of_another_kind_is_refused_unquoted(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        try_to_open(url)

    assert "ghp_secret" not in str(raised.value)


def test_a_tag_is_no_base_branch(server: GitServer) -> None:
    server.git("tag", "v1", "main")
    with (
        pytest.raises(PrerequisiteMissing, match="is not a branch"),
        GitOpsClone.open(server.url(), "v1", TOKEN),
    ):
        pass
