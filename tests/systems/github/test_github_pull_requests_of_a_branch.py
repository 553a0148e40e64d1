"""One pull request for a branch: opened, found, kept up to date, commented on once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook.errors import AccessDenied, Conflict, PrerequisiteMissing
from sandbox.github_api import GitHubApi, RateLimits
from systems.github import GitHub, PullRequest
from tests.github_checkout import Caller, Checkout
from tests.systems.github.conftest import client_of

BRANCH = "enable-vault/moc/ember"


def propose(github: GitHub, branch: str = BRANCH, base: str = "main", body: str = "Why\n") -> PullRequest:
    return github.open_pull_request(
        title="Enable ember", body=body, head_owner="sandbox", branch=branch, base=base
    )


def writes(stand_in: GitHubApi) -> list[str]:
    return [
        f"{each.method} {each.path}"
        for each in stand_in.requests
        if each.method != "GET" and each.path.startswith("/api/")
    ]


def test_an_opened_pull_request_is_told_and_found_again(
    stand_in: GitHubApi, github: GitHub, checkout: Checkout
) -> None:
    commit = checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    assert github.find_pull_request("sandbox", BRANCH, "main") is None
    made = propose(github)
    assert propose(github).number == made.number, "it is opened once"
    assert (made.number, made.state, made.body) == (1, "open", "Why\n")
    assert Caller(stand_in).get("/repos/sandbox/gitops/pulls/1")["title"] == "Enable ember"
    assert (made.head_owner, made.head_branch, made.head_sha) == ("sandbox", BRANCH, commit)
    assert (made.base_branch, made.url) == ("main", f"{stand_in.url}/sandbox/gitops/pull/1")
    assert (made.merged_by, made.merged_at, made.closed_by, made.closed_at) == (None, None, None, None)
    found = github.find_pull_request("Sandbox", BRANCH, "main")
    assert found is not None
    assert (found.number, found.mergeable) == (1, True)
    assert found.merge_commit_sha is None, "GitHub shows its test merge there"
    assert github.find_pull_request("sandbox", BRANCH, "other") is None
    assert github.find_pull_request("forks", BRANCH, "main") is None


def test_an_open_one_comes_first_and_then_the_newest_whichever_was_changed_last(
    github: GitHub, checkout: Checkout, reviewer: Caller
) -> None:
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    for _ in range(2):
        number = propose(github).number
        reviewer.send("PATCH", f"/repos/sandbox/gitops/pulls/{number}", {"state": "closed"})
    latest = github.find_pull_request("sandbox", BRANCH, "main")
    assert latest is not None
    assert (latest.number, latest.state, latest.closed_by) == (2, "closed", "reviewer")
    reviewer.send("POST", "/repos/sandbox/gitops/issues/1/comments", {"body": "Changed last"})
    assert github.find_pull_request("sandbox", BRANCH, "main") == latest
    third = propose(github)
    reviewer.send("PATCH", "/repos/sandbox/gitops/pulls/2", {"title": "Changed after that"})
    assert github.find_pull_request("sandbox", BRANCH, "main") == github.pull_request(third.number)


def test_merged_is_not_closed(github: GitHub, checkout: Checkout, reviewer: Caller) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    number = propose(github).number
    commit = reviewer.merge(number).json()["sha"]
    merged = github.pull_request(number)
    assert (merged.state, merged.merged_by, merged.merge_commit_sha) == ("merged", "reviewer", commit)
    assert merged.merged_at is not None
    assert before <= merged.merged_at <= datetime.now(UTC)
    assert (merged.closed_by, merged.mergeable) == (None, None)


def test_a_conflict_is_told(github: GitHub, checkout: Checkout) -> None:
    checkout.propose(BRANCH, "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    number = propose(github).number
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.commit("Add x", list_yaml="resources:\n  - a\n  - x\n  - c\n")
    checkout.git("push", "--quiet", "origin", "main")
    assert github.pull_request(number).mergeable is False


def test_only_what_differs_is_written(
    stand_in: GitHubApi, github: GitHub, checkout: Checkout, reviewer: Caller
) -> None:
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    number = propose(github, body="One\nTwo\n").number
    before = len(writes(stand_in))
    assert github.update_pull_request(number, "One\nTwo\n").body == "One\nTwo\n"
    assert len(writes(stand_in)) == before
    assert github.update_pull_request(number, "Three").body == "Three"
    assert len(writes(stand_in)) == before + 1
    reviewer.send("PATCH", f"/repos/sandbox/gitops/pulls/{number}", {"body": "One\r\nTwo\r\n"})
    before = len(writes(stand_in))
    github.update_pull_request(number, "One\nTwo\n")
    assert len(writes(stand_in)) == before, "the line ends of GitHub's editor are no difference"


def test_a_comment_is_made_once_among_many(stand_in: GitHubApi, github: GitHub, checkout: Checkout) -> None:
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    number = propose(github).number
    stand_in.rate_limits = RateLimits(writes_per_minute=1000)
    comments = f"/repos/sandbox/gitops/issues/{number}/comments"
    pipeline = Caller(stand_in)
    for count in range(103):
        pipeline.send("POST", comments, {"body": f"Comment {count}"})
    assert github.comment_once(number, "conflict 4711", "The branch **conflicts**.") is True
    assert github.comment_once(number, "conflict 4711", "The branch **conflicts**.") is False
    assert github.comment_once(number, "conflict 471", "Another occasion.") is True
    bodies = [each["body"] for each in pipeline.get(f"{comments}?per_page=100&page=2")]
    assert bodies[3] == "The branch **conflicts**.\n\n<!-- conflict 4711 -->"
    assert len(bodies) == 5


def test_a_marker_in_somebody_elses_comment_keeps_no_comment_of_ours_back(
    github: GitHub, checkout: Checkout, reviewer: Caller
) -> None:
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    number = propose(github).number
    comments = f"/repos/sandbox/gitops/issues/{number}/comments"
    reviewer.send("POST", comments, {"body": "lgtm <!-- trouble -->"})
    assert github.comment_once(number, "trouble", "Commits of others.") is True
    assert github.comment_once(number, "trouble", "Commits of others.") is False
    assert [each["user"]["login"] for each in reviewer.get(comments)] == ["reviewer", "pipeline"]


def test_what_cannot_be_proposed_and_what_is_not_there_is_explained(
    github: GitHub, checkout: Checkout
) -> None:
    with pytest.raises(PrerequisiteMissing, match="head invalid") as caught:
        propose(github)
    assert caught.value.subject == f"pull request from sandbox:{BRANCH} of sandbox/gitops"
    assert f"sandbox:{BRANCH}" in caught.value.remedy
    checkout.git("push", "--quiet", "origin", f"origin/main:refs/heads/{BRANCH}")
    with pytest.raises(Conflict, match="No commits between"):
        propose(github)
    with pytest.raises(PrerequisiteMissing, match="pull request #4711 of sandbox/gitops"):
        github.pull_request(4711)


def test_a_token_that_may_only_read_is_denied(stand_in: GitHubApi, checkout: Checkout) -> None:
    checkout.propose(BRANCH, "Add it", new_yaml="a: 1\n")
    with client_of(stand_in, "read-only") as reader:
        assert reader.find_pull_request("sandbox", BRANCH, "main") is None
        with pytest.raises(AccessDenied) as caught:
            propose(reader)
    assert "Resource not accessible by personal access token" in caught.value.answer
    assert "read and write, on sandbox/gitops" in caught.value.remedy
