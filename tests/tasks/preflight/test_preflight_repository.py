"""What preflight says of GitHub and the GitOps repository when one of them is not as it has to be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from runbook.errors import AccessDenied, Conflict, PrerequisiteMissing, TransientError
from tasks.preflight import repository as rows
from tests.systems.github.conftest import Scripted, http
from tests.tables import table
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import (
    REPOSITORY,
    Installation,
    Wrong,
    failed,
    refused,
    row,
    the_error,
)

NOBODY = "http://127.0.0.1:1"


def test_a_good_repository_is_described_row_by_row(installation: Installation) -> None:
    found = installation.ask("repository", "vault")
    assert failed(found) == []
    assert row(found, rows.PROPOSE).found == REPOSITORY
    assert row(found, rows.READ).found.startswith("main at ")
    assert row(found, rows.EDITS).found == f"{len(found.edits)} files"
    assert found.edits


def nowhere(there: Installation) -> dict[str, str]:
    return {
        "gitops__repository": "sandbox/nothing",
        "gitops__url": f"{there.github.url}/sandbox/nothing.git",
    }


WRONG = {
    "a wrong token, said by API and Git": Wrong(
        lambda there: {"gitops__token": "ghp_nobodyHasThisTokenNobodyHasThisTok"},
        [rows.PROPOSE, rows.READ],
        AccessDenied,
        ("GitHub, repository of sandbox/gitops: 401", "Git, branch main of ", "did not accept ours"),
    ),
    "a token that may only read, with which the repository is still looked at": Wrong(
        lambda there: {"gitops__token": there.github.token_of("read-only")},
        [rows.PROPOSE],
        AccessDenied,
        ("GitHub, sandbox/gitops: our token may not push to it", "set `fork`"),
        {rows.READ: "ok", "Overlay of emea/ember": "ok"},
        ask=("repository", "vault"),
    ),
    "nobody listens": Wrong(
        lambda there: {"gitops__api_url": f"{NOBODY}/api", "gitops__url": f"{NOBODY}/{REPOSITORY}.git"},
        [rows.PROPOSE, rows.READ],
        TransientError,
        ("GitHub, repository: no answer", f"Git, branch main of {NOBODY}/{REPOSITORY}.git"),
        {rows.CONTENT: "not checked"},
    ),
    "no such branch": Wrong(
        lambda there: {"gitops__base_branch": "trunk"},
        [rows.READ],
        PrerequisiteMissing,
        ("Remote branch trunk not found",),
    ),
    "no such repository": Wrong(nowhere, [rows.PROPOSE, rows.READ], PrerequisiteMissing, ("404",)),
}


@table("wrong", WRONG)
def test_what_is_wrong_is_said(installation: Installation, wrong: Wrong) -> None:
    found = wrong.check(installation, "repository")
    assert found.edits == () or row(found, rows.EDITS).status == "ok"


def test_a_token_that_may_only_read_is_enough_to_propose_from_a_fork(installation: Installation) -> None:
    token = installation.github.token_of("read-only")
    found = installation.ask("repository", gitops__token=token, gitops__fork="read-only")
    assert failed(found) == []
    assert row(found, rows.PROPOSE).found == "sandbox/gitops, from the fork of read-only"


def answer_about(headers: Mapping[str, str] | None = None, **fields: object) -> bytes:
    """What GitHub says of the repository."""
    there = {
        "full_name": REPOSITORY,
        "default_branch": "main",
        "archived": False,
        "fork": False,
        "clone_url": "https://github.example.com/sandbox/gitops.git",
        "permissions": {"push": True, "pull": True},
    }
    return http(200, {**there, **fields}, headers)


END = "github-authentication-token-expiration"
SOON, LATER = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d %H:%M:%S} UTC" for days in (3, 60))

# Of an App's token GitHub says that it may not push, whatever the App may do.
OF_AN_APP = [
    answer_about(permissions={"push": False, "pull": False}),
    http(403, {"message": "Resource not accessible by integration"}),
]


@table(
    "answers, prerequisite, status, words",
    {
        "archived": ([answer_about(archived=True)], rows.PROPOSE, "failed", "is archived"),
        "an App's token": (OF_AN_APP, rows.PROPOSE, "not checked", ""),
        "the token ends during the wait": ([answer_about({END: SOON})], rows.TOKEN_END, "warning", SOON[:10]),
        "it ends later": ([answer_about({END: LATER})], rows.TOKEN_END, "ok", LATER[:10]),
        "its end is not told": ([answer_about()], rows.TOKEN_END, "not checked", ""),
    },
)
def test_what_github_tells_of_repository_and_token_is_judged(
    installation: Installation,
    scripted: Scripted,
    answers: list[bytes],
    prerequisite: str,
    status: str,
    words: str,
) -> None:
    scripted.answers = list(answers)
    found = installation.ask("repository", gitops__api_url=scripted.url)
    assert (rows.PROPOSE in failed(found)) == (status == "failed")
    judged = row(found, prerequisite)
    assert (judged.status, words in judged.found) == (status, True), judged


@pytest.mark.parametrize("redirects", [True, False])
def test_a_renamed_repository_is_said_with_its_new_name(
    installation: Installation, scripted: Scripted, redirects: bool
) -> None:
    moved = http(301, {"message": "Moved Permanently"}, {"Location": f"{scripted.url}/repositories/7"})
    scripted.answers = [*([moved] if redirects else []), answer_about(full_name="sandbox/clusters")]
    found = installation.ask("repository", gitops__api_url=scripted.url)
    assert failed(found) == [rows.PROPOSE]
    error = the_error(found)
    assert "repository sandbox/gitops: was renamed or moved: it is sandbox/clusters now" in str(error)
    asked = ["GET /api/v3/repos/sandbox/gitops", "GET /api/v3/repositories/7"]
    assert scripted.asked == asked[: 1 + redirects], "nothing but that server is asked"


@contextmanager
def branch(installation: Installation, repository: str, name: str) -> Iterator[None]:
    """A branch of that name on the server, for as long as the block lasts."""
    path, reference = installation.github.path_of(repository), f"refs/heads/{name}"
    subprocess.run(["git", "update-ref", reference, "refs/heads/main"], cwd=path, check=True)
    try:
        yield
    finally:
        subprocess.run(["git", "update-ref", "-d", reference], cwd=path, check=True)


@pytest.mark.parametrize("name", ["enable-vault", "enable-vault/emea", "enable-vault/emea/ember/try"])
def test_a_branch_that_keeps_ours_from_being_made_is_named(installation: Installation, name: str) -> None:
    with branch(installation, REPOSITORY, name):
        found = installation.ask("repository")
    error = refused(found, [rows.BRANCH], Conflict)
    assert f"cannot be created beside the branch {name}" in error.answer
    assert f"Rename or delete the branch {name}" in error.remedy


@pytest.mark.parametrize(("owner", "repository"), [("pipeline", "pipeline/gitops"), ("forks", REPOSITORY)])
def test_a_branch_of_the_fork_that_keeps_ours_from_being_made_is_named(
    installation: Installation, owner: str, repository: str
) -> None:
    connections = installation.only("repository", gitops__fork=owner)
    assert connections.repository is not None
    if repository != REPOSITORY:  # else there is no fork yet, and it will get the branches of the repository
        with connections.repository.github() as github:
            github.ensure_fork(owner, 20)
        found = row(installation.look(make(), connections), rows.BRANCH)
        assert (found.status, found.found) == (
            "ok",
            f"enable-vault/emea/ember will be created in {repository}",
        )
    with branch(installation, repository, "enable-vault"):
        looked = installation.look(make(), connections)
    error = refused(looked, [rows.BRANCH], Conflict)
    assert f"{repository}.git: cannot be created beside the branch enable-vault" in str(error)


def test_a_fork_that_our_token_does_not_see_is_said_in_the_row(installation: Installation) -> None:
    found = row(installation.ask("repository", gitops__fork="forks"), rows.BRANCH)
    assert found.status == "not checked"
    assert found.found.startswith(
        "the branches of the fork of forks are not known: fork of forks/gitops: 404"
    )


@pytest.mark.parametrize(
    ("branch", "rules", "status", "words"),
    [
        ("main", ("pull_request", "deletion"), "ok", "none is in the way"),
        ("main", ("required_signatures",), "ok", "GitHub creates and signs ours"),
        ("enable-vault/emea/ember", ("required_signatures",), "ok", "GitHub creates and signs ours"),
        ("enable-vault/emea/ember", ("deletion", "update", "creation"), "warning", "rules creation, update"),
    ],
)
def test_branch_rules_are_read_before_anything_is_pushed(
    installation: Installation,
    branch: str,
    rules: tuple[str, ...],
    status: str,
    words: str,
) -> None:
    installation.github.rules[REPOSITORY, branch] = rules
    try:
        found = row(installation.ask("repository"), rows.RULES)
    finally:
        installation.github.rules.clear()
    assert found.status == status
    assert words in found.found
