"""The three ways to merge, each really done in Git, and what prevents them."""

from __future__ import annotations

import pytest

from sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

PULLS = "/repos/sandbox/gitops/pulls"


@pytest.fixture
def proposed(checkout: Checkout, pipeline: Caller) -> str:
    """The head of a pull request of two commits, while the base branch has moved on in another file."""
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    head = checkout.commit("Add new", new_yaml="a: 1\n")
    checkout.git("push", "--quiet", "origin", "topic")
    pipeline.open("topic", title="Enable it")
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.commit("Meanwhile", other_yaml="b: 1\n")
    checkout.git("push", "--quiet", "origin", "main")
    return head


def log(checkout: Checkout, form: str, *options: str) -> list[str]:
    checkout.git("fetch", "--quiet", "origin")
    return checkout.git("log", "--first-parent", f"--format={form}", "origin/main", *options).splitlines()


def test_a_merge_commit_has_both_parents(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, proposed: str
) -> None:
    base = checkout.git("rev-parse", "main")
    answer = reviewer.merge(1).json()
    (line,) = log(checkout, "%H %P, %an: %s", "-1")
    first_line = "Merge pull request #1 from sandbox/topic"
    assert line == f"{answer['sha']} {base} {proposed}, reviewer: {first_line}"
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["state"], shown["merged_by"]["login"]) == ("closed", "reviewer")
    assert (shown["merged_at"] is None, shown["merge_commit_sha"]) == (False, answer["sha"])


@pytest.mark.parametrize(
    ("method", "commits"),
    [
        ("squash", ["pipeline GitHub: Enable it (#1)", "Dana Dana: Meanwhile"]),
        ("rebase", ["Dana reviewer: Add new", "Dana reviewer: Add b"]),
    ],
)
def test_a_squash_is_one_new_commit_of_the_author_and_a_rebase_are_new_commits_in_a_row(
    checkout: Checkout, reviewer: Caller, proposed: str, method: str, commits: list[str]
) -> None:
    assert reviewer.merge(1, merge_method=method).status_code == 200
    assert log(checkout, "%an %cn: %s", "-2") == commits
    assert "  - b" in checkout.git("show", "origin/main:list.yaml").splitlines()
    assert checkout.run("merge-base", "--is-ancestor", proposed, "origin/main").returncode == 1


def test_a_rebase_makes_new_commits_even_on_an_unmoved_base(
    checkout: Checkout, pipeline: Caller, reviewer: Caller
) -> None:
    commit = checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    assert reviewer.merge(1, merge_method="rebase").json()["sha"] != commit


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_conflict_is_not_mergeable(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, method: str
) -> None:
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    pipeline.open("topic")
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    before = checkout.commit("Add x", list_yaml="resources:\n  - a\n  - x\n  - c\n")
    checkout.git("push", "--quiet", "origin", "main")
    assert pipeline.get(f"{PULLS}/1")["mergeable"] is False
    answer = reviewer.merge(1, merge_method=method)
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")
    assert log(checkout, "%H", "-1") == [before]
    checkout.propose("other", "Something else", other_txt="1\n")
    pipeline.open("other")
    assert reviewer.merge(2, merge_method=method).status_code == 200, "a conflict leaves nothing behind"


@pytest.mark.usefixtures("proposed")
def test_what_is_closed_or_merged_is_not_merged(reviewer: Caller) -> None:
    reviewer.send("PATCH", f"{PULLS}/1", {"state": "closed"})
    assert reviewer.merge(1).status_code == 405
    reviewer.send("PATCH", f"{PULLS}/1", {"state": "open"})
    assert reviewer.merge(1).status_code == 200
    assert reviewer.merge(1).status_code == 405
    assert reviewer.send("PATCH", f"{PULLS}/1", {"state": "open"}).status_code == 422


@pytest.mark.usefixtures("proposed")
def test_who_may_only_read_may_not_merge(github: GitHubApi) -> None:
    for login in ("contributor", "read-only"):
        answer = Caller(github, login).merge(1)
        assert answer.status_code == 403
        assert answer.json()["message"] == "Resource not accessible by personal access token"
