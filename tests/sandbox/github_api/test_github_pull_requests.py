"""Who is answered, and what becomes of a pull request: opened, listed, closed, followed by pushes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import requests

from sandbox.github_api import GitHubApi
from tests.eventually import eventually
from tests.github_checkout import Caller, Checkout

GITOPS = "/repos/sandbox/gitops"
PULLS = f"{GITOPS}/pulls"


def test_nothing_is_answered_without_a_known_token(github: GitHubApi) -> None:
    without = requests.get(f"{github.api_url}{GITOPS}", timeout=30)
    assert (without.status_code, without.json()["message"]) == (401, "Requires authentication")
    wrong = Caller(github, token="ghp_wrong").send("GET", GITOPS)
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Bad credentials")


def test_what_one_may_not_see_is_not_found(github: GitHubApi) -> None:
    stranger = Caller(github, "stranger")
    there, nowhere = stranger.send("GET", GITOPS), stranger.send("GET", "/repos/sandbox/nothing")
    assert there.status_code == nowhere.status_code == 404
    assert there.json() == nowhere.json()


def test_tokens_are_kept_in_a_private_file_and_out_of_all_others(
    github: GitHubApi, checkout: Checkout
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    tokens = github.state_dir / "tokens.json"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert "POST /sandbox/gitops.git/git-receive-pack 200" in (github.state_dir / "requests.log").read_text()
    holding = [
        path
        for path in github.state_dir.rglob("*")
        if path.is_file() and github.token_of("pipeline").encode() in path.read_bytes()
    ]
    assert holding == [tokens]


def test_an_opened_pull_request_has_a_test_merge_once_github_has_found_out(
    checkout: Checkout, pipeline: Caller
) -> None:
    base = checkout.git("rev-parse", "origin/main")
    commit = checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    made = pipeline.open("sandbox:topic", title="Add b", body="Because.")
    assert made["mergeable"] is None, "GitHub finds that out after it has answered"
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["mergeable"], shown["merged_at"]) == (True, None)
    assert (shown["head"]["label"], shown["base"]["sha"]) == ("sandbox:topic", base)
    assert shown["merge_commit_sha"] not in (None, commit, base), "the commit of the test merge"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"head": "nothing"}, {"field": "head", "code": "invalid"}),
        ({"head": "nobody:topic"}, {"field": "head", "code": "invalid"}),
        ({"base": "nothing"}, {"field": "base", "code": "invalid"}),
        ({"head": "same"}, {"code": "custom", "message": "No commits between main and same"}),
        ({}, {"code": "custom", "message": "A pull request already exists for sandbox:topic."}),
    ],
)
def test_a_proposal_that_makes_no_sense_is_a_failed_validation(
    checkout: Checkout, pipeline: Caller, change: dict[str, str], expected: dict[str, str]
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    checkout.git("push", "--quiet", "origin", "origin/main:refs/heads/same")
    pipeline.open("topic")
    answer = pipeline.send("POST", PULLS, {"title": "T", "head": "topic", "base": "main", **change})
    assert answer.status_code == 422
    assert answer.json() == {
        "message": "Validation Failed",
        "errors": [{"resource": "PullRequest", **expected}],
        "documentation_url": "https://docs.github.com/rest",
    }


def test_who_may_not_write_to_the_branch_may_not_propose_it(github: GitHubApi, checkout: Checkout) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    wanted = {"title": "T", "head": "topic", "base": "main"}
    for login in ("contributor", "read-only"):
        assert Caller(github, login).send("POST", PULLS, wanted).status_code == 403


def test_the_list_is_narrowed_and_cut_into_pages(checkout: Checkout, pipeline: Caller) -> None:
    for name in ("one", "two", "three"):
        checkout.propose(name, name, new_txt=f"{name}\n")
        pipeline.open(name)
    pipeline.send("PATCH", f"{PULLS}/2", {"state": "closed"})

    def numbers(query: str) -> list[int]:
        return [each["number"] for each in pipeline.get(f"{PULLS}?{query}")]

    assert numbers("") == [3, 1]
    assert numbers("state=closed") == [2]
    assert numbers("state=all&direction=asc") == [1, 2, 3]
    assert numbers("state=all&head=Sandbox:two") == [2]
    assert numbers("state=all&head=somebody:two") == numbers("state=all&base=other") == []
    first = pipeline.send("GET", f"{PULLS}?state=all&per_page=2")
    assert [each["number"] for each in first.json()] == [3, 2]
    second = pipeline.send("GET", first.links["next"]["url"])
    assert ([each["number"] for each in second.json()], second.links) == ([1], {})


def test_a_push_to_the_branch_moves_the_head_and_deleting_it_closes_it(
    checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    commit = checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    assert pipeline.get(f"{PULLS}/1")["head"]["sha"] == commit
    checkout.git("push", "--quiet", "origin", ":topic")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["state"], shown["merged_at"]) == ("closed", None)


def test_a_pull_request_from_a_fork_follows_it_and_is_merged_into_the_original(
    github: GitHubApi, tmp_path: Path, reviewer: Caller
) -> None:
    contributor = Caller(github, "contributor")
    assert contributor.send("POST", f"{GITOPS}/forks").status_code == 202
    eventually(lambda: contributor.send("GET", "/repos/contributor/gitops/branches/main").status_code == 200)
    checkout = Checkout(tmp_path, "fork", token=github.token_of("contributor"))
    checkout.clone(github.clone_url("contributor/gitops")).propose("topic", "One", one_txt="1\n")
    assert contributor.open("contributor:topic")["head"]["label"] == "contributor:topic"
    moved = checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    assert contributor.get(f"{PULLS}/1")["head"]["sha"] == moved
    assert reviewer.merge(1).status_code == 200
    checkout.git("pull", "--quiet", github.clone_url("sandbox/gitops"), "main")
    assert checkout.git("rev-parse", "HEAD^2") == moved
