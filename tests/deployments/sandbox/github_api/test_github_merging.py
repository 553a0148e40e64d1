"""The three ways to merge, each really done in Git, and what prevents them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

PULLS = "/repos/sandbox/gitops/pulls"


@pytest.fixture
def proposed(checkout: Checkout, pipeline: Caller) -> int:
    """A pull request of two commits, while the base branch has moved on in another file."""
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    checkout.commit("Add new", new_yaml="a: 1\n")
    checkout.git("push", "--quiet", "origin", "topic")
    number: int = pipeline.open("topic", title="Enable it")["number"]
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.commit("Meanwhile", other_yaml="b: 1\n")
    checkout.git("push", "--quiet", "origin", "main")
    return number


def subjects(checkout: Checkout) -> list[str]:
    checkout.git("fetch", "--quiet", "origin")
    return checkout.git("log", "--first-parent", "--format=%s", "origin/main").splitlines()


def test_a_merge_commit_has_both_parents(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, proposed: int
) -> None:
    head, base = pipeline.get(f"{PULLS}/{proposed}")["head"]["sha"], checkout.git("rev-parse", "main")
    answer = reviewer.merge(proposed)
    assert answer.json() | {"sha": ""} == {
        "sha": "",
        "merged": True,
        "message": "Pull Request successfully merged",
    }
    assert subjects(checkout)[0] == "Merge pull request #1 from sandbox/topic"
    assert checkout.git("rev-parse", "origin/main") == answer.json()["sha"]
    assert checkout.git("log", "-1", "--format=%P", "origin/main").split() == [base, head]
    assert checkout.git("log", "-1", "--format=%an", "origin/main") == "reviewer"
    shown = pipeline.get(f"{PULLS}/{proposed}")
    assert (shown["state"], shown["merged"], shown["merged_by"]["login"]) == ("closed", True, "reviewer")
    assert shown["merge_commit_sha"] == answer.json()["sha"]
    assert pipeline.send("GET", f"{PULLS}/{proposed}/merge").status_code == 204


def test_a_squash_is_one_new_commit_of_the_author(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, proposed: int
) -> None:
    head = pipeline.get(f"{PULLS}/{proposed}")["head"]["sha"]
    assert reviewer.merge(proposed, merge_method="squash").status_code == 200
    assert subjects(checkout)[:2] == ["Enable it (#1)", "Meanwhile"]
    message = checkout.git("log", "-1", "--format=%an%n%b", "origin/main")
    assert message.splitlines() == ["pipeline", "* Add b", "* Add new"]
    assert "  - b" in checkout.git("show", "origin/main:list.yaml").splitlines()
    assert checkout.run("merge-base", "--is-ancestor", head, "origin/main").returncode == 1
    assert pipeline.get(f"{PULLS}/{proposed}")["merged"] is True


def test_a_rebase_brings_new_commits_in_a_row(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, proposed: int
) -> None:
    head = pipeline.get(f"{PULLS}/{proposed}")["head"]["sha"]
    assert reviewer.merge(proposed, merge_method="rebase").status_code == 200
    assert subjects(checkout)[:3] == ["Add new", "Add b", "Meanwhile"]
    assert checkout.git("log", "-1", "--format=%an %cn", "origin/main") == "Dana reviewer"
    assert checkout.run("merge-base", "--is-ancestor", head, "origin/main").returncode == 1


def test_a_rebase_makes_new_commits_even_on_an_unmoved_base(
    checkout: Checkout, pipeline: Caller, reviewer: Caller
) -> None:
    commit = checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    assert reviewer.merge(1, merge_method="rebase").json()["sha"] != commit


def test_title_and_message_of_the_commit_can_be_given(
    checkout: Checkout, reviewer: Caller, proposed: int
) -> None:
    reviewer.merge(proposed, merge_method="squash", commit_title="Own title", commit_message="Own text")
    checkout.git("fetch", "--quiet", "origin")
    assert checkout.git("log", "-1", "--format=%B", "origin/main") == "Own title\n\nOwn text"


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_conflict_is_not_mergeable(
    checkout: Checkout, pipeline: Caller, reviewer: Caller, method: str
) -> None:
    checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    pipeline.open("topic")
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    before = checkout.commit("Add x", list_yaml="resources:\n  - a\n  - x\n  - c\n")
    checkout.git("push", "--quiet", "origin", "main")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["mergeable"], shown["mergeable_state"]) == (False, "dirty")
    answer = reviewer.merge(1, merge_method=method)
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")
    assert pipeline.get("/repos/sandbox/gitops/branches/main")["commit"]["sha"] == before
    checkout.propose("other", "Something else", other_txt="1\n")
    pipeline.open("other")
    assert reviewer.merge(2, merge_method=method).status_code == 200, "a conflict leaves nothing behind"


def test_another_head_than_the_expected_one_is_not_merged(reviewer: Caller, proposed: int) -> None:
    answer = reviewer.merge(proposed, sha="0" * 40)
    assert answer.status_code == 409
    assert answer.json()["message"] == "Head branch was modified. Review and try the merge again."


def test_what_is_closed_or_merged_is_not_merged(reviewer: Caller, proposed: int) -> None:
    reviewer.send("PATCH", f"{PULLS}/{proposed}", {"state": "closed"})
    assert reviewer.merge(proposed).status_code == 405
    reviewer.send("PATCH", f"{PULLS}/{proposed}", {"state": "open"})
    assert reviewer.merge(proposed).status_code == 200
    assert reviewer.merge(proposed).status_code == 405
    assert reviewer.send("PATCH", f"{PULLS}/{proposed}", {"state": "open"}).status_code == 422


def test_one_merge_can_bring_another_pull_request(
    checkout: Checkout, pipeline: Caller, reviewer: Caller
) -> None:
    checkout.propose("first", "One", one_txt="1\n")
    checkout.propose("second", "Two", base="first", two_txt="2\n")
    pipeline.open("first")
    pipeline.open("second")
    commit = reviewer.merge(2).json()["sha"]
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["merged"], shown["merge_commit_sha"]) == (True, commit)


def test_who_may_only_read_may_not_merge(github: GitHubApi, proposed: int) -> None:
    for login in ("contributor", "read-only"):
        answer = Caller(github, login).merge(proposed)
        assert answer.status_code == 403
        assert answer.json()["message"] == "Resource not accessible by personal access token"


def test_the_branch_can_go_with_the_merge(tmp_path: Path, gitops_seed: Path) -> None:
    with GitHubApi(
        tmp_path / "github", {"sandbox/gitops": gitops_seed}, delete_branch_on_merge=True
    ) as github:
        pipeline = Caller(github)
        checkout = Checkout(tmp_path, token=github.token_of("pipeline"))
        commit = checkout.clone(github.clone_url("sandbox/gitops")).propose("topic", "One", one_txt="1\n")
        pipeline.open("topic")
        assert pipeline.merge(1).status_code == 200
        pipeline.get("/repos/sandbox/gitops/branches/topic", status=404)
        shown = pipeline.get(f"{PULLS}/1")
        assert (shown["merged"], shown["head"]["sha"]) == (True, commit)
