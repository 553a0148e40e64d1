"""Who the token belongs to, what it may do, and the fork to propose from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from runbook.errors import AccessDenied, Busy, Conflict, PrerequisiteMissing, UnexpectedAnswer
from sandbox.github_api import GitHubApi
from systems.github import GitHub
from tests.github_checkout import Checkout
from tests.systems.github.conftest import Scripted, client_of, http


def posts(stand_in: GitHubApi) -> int:
    return sum(each.method == "POST" for each in stand_in.requests)


def test_access_tells_what_the_owner_of_the_token_may_do(stand_in: GitHubApi, github: GitHub) -> None:
    access = github.access()
    assert (access.full_name, access.default_branch) == ("sandbox/gitops", "main")
    assert (access.can_push, access.archived) == (True, False)
    assert access.clone_url == stand_in.clone_url("sandbox/gitops")
    assert github.login() == "pipeline"
    with client_of(stand_in, "read-only") as reader:
        assert (reader.access().can_push, reader.login()) == (False, "read-only")


def test_a_fork_that_was_renamed_is_found_under_its_name(scripted: Scripted) -> None:
    fork = {
        "full_name": "bot/gitops-fork",
        "default_branch": "main",
        "archived": False,
        "fork": True,
        "clone_url": "https://github.example.com/bot/gitops-fork.git",
        "parent": {"full_name": "sandbox/gitops"},
    }
    scripted.answers = [
        http(301, {"message": "Moved Permanently"}, {"Location": f"{scripted.url}/repositories/7"}),
        http(200, fork),
        http(200, {"name": "main"}),
    ]
    with scripted.client() as github:
        assert github.ensure_fork("bot", 1).clone_url == fork["clone_url"]
    assert scripted.asked[1] == "GET /api/v3/repositories/7"


def test_a_repository_that_the_token_may_not_see_is_explained(stand_in: GitHubApi) -> None:
    with client_of(stand_in, "stranger") as stranger, pytest.raises(PrerequisiteMissing) as caught:
        stranger.access()
    assert "404 Not Found" in caught.value.answer
    assert "sandbox/gitops" in caught.value.remedy
    assert "what the token may not see" in caught.value.remedy


def test_a_wrong_token_is_denied(stand_in: GitHubApi) -> None:
    with (
        GitHub("sandbox/gitops", SecretStr("ghp_expired"), api_url=stand_in.api_url) as github,
        pytest.raises(AccessDenied) as caught,
    ):
        github.access()
    assert "401 Bad credentials" in caught.value.answer
    assert "expired" in caught.value.remedy


def test_an_apps_token_belongs_to_nobody(scripted: Scripted) -> None:
    scripted.answers = [http(403, {"message": "Resource not accessible by integration"})]
    with scripted.client() as github:
        assert github.login() is None
        scripted.answers = [http(403, {"message": "Resource not accessible by personal access token"})]
        with pytest.raises(AccessDenied):
            github.login()


def test_a_fork_is_made_and_filled_before_it_is_handed_out(stand_in: GitHubApi, tmp_path: Path) -> None:
    with client_of(stand_in, "contributor") as github:
        fork = github.ensure_fork("contributor", 20)
        assert (fork.full_name, fork.can_push) == ("contributor/gitops", True)
        checkout = Checkout(tmp_path, token=stand_in.token_of("contributor")).clone(fork.clone_url)
        checkout.propose("topic", "One", one_txt="1\n")
        made = github.open_pull_request(
            title="T", body="B", head_owner="contributor", branch="topic", base="main"
        )
        assert (made.head_owner, made.head_branch) == ("contributor", "topic")
        found = github.find_pull_request("contributor", "topic", "main")
        assert found is not None
        assert found.number == made.number


def test_a_fork_that_is_there_is_taken(stand_in: GitHubApi, github: GitHub) -> None:
    first = github.ensure_fork("forks", 20)
    before = posts(stand_in)
    assert github.ensure_fork("Forks", 20) == first
    assert first.full_name == "forks/gitops"
    assert posts(stand_in) == before


def test_a_repository_of_that_name_that_is_no_fork_is_left_alone(stand_in: GitHubApi) -> None:
    with client_of(stand_in, "reviewer") as github, pytest.raises(Conflict) as caught:
        github.ensure_fork("reviewer", 5)
    assert caught.value.subject == "fork reviewer/gitops"
    assert "not a fork of sandbox/gitops" in caught.value.answer
    assert posts(stand_in) == 0


def test_a_fork_that_stays_empty_is_worth_another_try(stand_in: GitHubApi, github: GitHub) -> None:
    with pytest.raises(Busy) as caught:
        github.ensure_fork("pipeline", 0)
    assert "has no branch main yet" in caught.value.answer
    assert github.ensure_fork("pipeline", 20).full_name == "pipeline/gitops"
    assert posts(stand_in) == 1


def test_an_organization_that_is_not_ours_is_refused(github: GitHub) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        github.ensure_fork("strangers", 1)
    assert "organization" in caught.value.answer
