"""Pull requests: opened, listed, changed, closed, and what a push does to them."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

PULLS = "/repos/sandbox/gitops/pulls"


def test_an_opened_pull_request_tells_what_it_proposes(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    base = checkout.git("rev-parse", "origin/main")
    commit = checkout.propose("topic", "Add b", list_yaml="resources:\n  - a\n  - b\n  - c\n")
    made = pipeline.open("sandbox:topic", title="Add b", body="Because.")
    assert made["mergeable"] is None, "GitHub finds that out after it has answered"
    shown = pipeline.get(f"{PULLS}/{made['number']}")
    assert (shown["number"], shown["title"], shown["body"]) == (1, "Add b", "Because.")
    assert (shown["state"], shown["merged"], shown["mergeable"]) == ("open", False, True)
    assert (shown["head"]["label"], shown["head"]["sha"]) == ("sandbox:topic", commit)
    assert (shown["base"]["ref"], shown["base"]["sha"]) == ("main", base)
    assert (shown["commits"], shown["changed_files"], shown["additions"], shown["deletions"]) == (1, 1, 1, 0)
    assert shown["user"]["login"] == "pipeline"
    assert shown["html_url"] == f"{github.url}/sandbox/gitops/pull/1"
    assert shown["merge_commit_sha"] not in (None, commit, base), "the commit of the test merge"
    (file,) = pipeline.get(f"{PULLS}/1/files")
    assert (file["filename"], file["status"]) == ("list.yaml", "modified")
    assert "+  - b" in file["patch"].splitlines()
    assert [each["sha"] for each in pipeline.get(f"{PULLS}/1/commits")] == [commit]


def test_a_second_one_for_the_same_branch_is_a_failed_validation(
    checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    again = pipeline.send("POST", PULLS, {"title": "Again", "head": "sandbox:topic", "base": "main"})
    assert again.status_code == 422
    assert again.json() == {
        "message": "Validation Failed",
        "errors": [
            {
                "resource": "PullRequest",
                "code": "custom",
                "message": "A pull request already exists for sandbox:topic.",
            }
        ],
        "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
        "status": "422",
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"head": "nothing"}, {"resource": "PullRequest", "field": "head", "code": "invalid"}),
        ({"head": "nobody:topic"}, {"resource": "PullRequest", "field": "head", "code": "invalid"}),
        ({"base": "nothing"}, {"resource": "PullRequest", "field": "base", "code": "invalid"}),
        (
            {"head": "same"},
            {"resource": "PullRequest", "code": "custom", "message": "No commits between main and same"},
        ),
    ],
)
def test_a_proposal_that_makes_no_sense_is_a_failed_validation(
    checkout: Checkout, pipeline: Caller, change: dict[str, str], expected: dict[str, str]
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    checkout.git("push", "--quiet", "origin", "origin/main:refs/heads/same")
    answer = pipeline.send("POST", PULLS, {"title": "T", "head": "topic", "base": "main", **change})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [expected]


def test_a_title_that_is_missing_and_a_body_that_is_no_json_are_refused(pipeline: Caller) -> None:
    missing = pipeline.send("POST", PULLS, {"head": "topic", "base": "main"})
    assert (missing.status_code, missing.json()["message"].splitlines()[-1]) == (
        422,
        '"title" wasn\'t supplied.',
    )
    array = pipeline.send("POST", PULLS, ["title"])
    assert (array.status_code, array.json()["message"]) == (400, "Body should be a JSON object")


def test_the_list_is_narrowed_sorted_and_cut_into_pages(checkout: Checkout, pipeline: Caller) -> None:
    for name in ("one", "two", "three"):
        checkout.propose(name, name, new_txt=f"{name}\n")
        pipeline.open(name)
    pipeline.send("PATCH", f"{PULLS}/2", {"state": "closed"})
    pipeline.send("PATCH", f"{PULLS}/1", {"title": "Changed last"})

    def numbers(query: str) -> list[int]:
        return [each["number"] for each in pipeline.get(f"{PULLS}?{query}")]

    assert numbers("") == [3, 1]
    assert numbers("state=closed") == [2]
    assert numbers("state=all") == [3, 2, 1]
    assert numbers("state=all&sort=updated&direction=desc") == [1, 2, 3]
    assert numbers("state=all&direction=asc") == [1, 2, 3]
    assert numbers("state=all&head=sandbox:two") == [2]
    assert numbers("state=all&head=somebody:two") == []
    assert numbers("state=all&base=other") == []
    first = pipeline.send("GET", f"{PULLS}?state=all&per_page=2")
    assert [each["number"] for each in first.json()] == [3, 2]
    second = pipeline.send("GET", first.links["next"]["url"])
    assert [each["number"] for each in second.json()] == [1]
    assert second.links["first"]["url"] == second.links["prev"]["url"]
    assert "next" not in second.links
    assert first.links["last"]["url"] == first.links["next"]["url"]


def test_title_and_body_can_be_changed(checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic", body=None)
    changed = pipeline.send("PATCH", f"{PULLS}/1", {"title": "Better", "body": "Now with a reason."}).json()
    assert (changed["title"], changed["body"]) == ("Better", "Now with a reason.")
    assert pipeline.send("PATCH", f"{PULLS}/1", {"state": "merged"}).status_code == 422


def test_a_push_to_the_branch_moves_the_head(checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    commit = checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["head"]["sha"], shown["commits"], shown["changed_files"]) == (commit, 2, 2)


def test_deleting_the_branch_closes_it(checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    checkout.git("push", "--quiet", "origin", ":topic")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["state"], shown["merged"]) == ("closed", False)
    assert pipeline.send("PATCH", f"{PULLS}/1", {"state": "open"}).status_code == 422


def test_a_branch_that_is_pushed_to_the_base_is_merged(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    checkout.git("checkout", "--quiet", "-B", "main", "origin/main")
    checkout.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    merge = checkout.git("rev-parse", "HEAD")
    checkout.commit("Something after it", after_txt="1\n")
    checkout.git("push", "--quiet", "origin", "main")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["state"], shown["merged"], shown["merge_commit_sha"]) == ("closed", True, merge)
    assert shown["merged_by"]["login"] == "pipeline"
    assert shown["changed_files"] == 1, "still what it brought, though the base branch has it now"


def test_a_branch_that_is_emptied_is_closed_and_not_merged(checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    checkout.git("push", "--quiet", "--force", "origin", "origin/main:topic")
    shown = pipeline.get(f"{PULLS}/1")
    assert (shown["state"], shown["merged"]) == ("closed", False)


def test_only_the_issue_tells_who_closed_it(checkout: Checkout, pipeline: Caller, reviewer: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    closed: Any = reviewer.send("PATCH", f"{PULLS}/1", {"state": "closed"}).json()
    assert closed["closed_at"] is not None
    assert "closed_by" not in closed
    issue = pipeline.get("/repos/sandbox/gitops/issues/1")
    assert (issue["state"], issue["closed_by"]["login"]) == ("closed", "reviewer")
    again = pipeline.send("PATCH", f"{PULLS}/1", {"state": "open"}).json()
    assert (again["state"], again["closed_at"]) == ("open", None)


def test_comments_are_kept_in_order(checkout: Checkout, pipeline: Caller, reviewer: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    comments = "/repos/sandbox/gitops/issues/1/comments"
    assert pipeline.send("POST", comments, {"body": "First"}).status_code == 201
    assert reviewer.send("POST", comments, {"body": "Second"}).status_code == 201
    listed = pipeline.get(comments)
    assert [(each["user"]["login"], each["body"]) for each in listed] == [
        ("pipeline", "First"),
        ("reviewer", "Second"),
    ]
    assert pipeline.send("POST", comments, {"body": " "}).status_code == 422
    assert pipeline.get(f"{PULLS}/1")["comments"] == 2
    pipeline.get("/repos/sandbox/gitops/issues/9/comments", status=404)


def test_a_comparison_tells_what_one_branch_has_more(checkout: Checkout, pipeline: Caller) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    ahead = pipeline.get("/repos/sandbox/gitops/compare/main...topic")
    assert (ahead["status"], ahead["ahead_by"], ahead["behind_by"]) == ("ahead", 1, 0)
    assert [each["filename"] for each in ahead["files"]] == ["one.txt"]
    assert pipeline.get("/repos/sandbox/gitops/compare/topic...main")["status"] == "behind"
    assert pipeline.get("/repos/sandbox/gitops/compare/main...main")["status"] == "identical"
    pipeline.get("/repos/sandbox/gitops/compare/main...nothing", status=404)


def test_files_and_commits_can_be_read(checkout: Checkout, pipeline: Caller) -> None:
    repository = "/repos/sandbox/gitops"
    listed = pipeline.get(f"{repository}/contents/overlays/ember?ref=main")
    assert [(each["name"], each["type"]) for each in listed] == [("kustomization.yaml", "file")]
    assert [each["name"] for each in pipeline.get(f"{repository}/contents")] == [
        "README.md",
        "list.yaml",
        "overlays",
    ]
    file = pipeline.get(f"{repository}/contents/list.yaml")
    assert (file["encoding"], file["size"]) == ("base64", 23)
    pipeline.get(f"{repository}/contents/nothing.yaml", status=404)
    pipeline.get(f"{repository}/contents/list.yaml?ref=nothing", status=404)
    head = checkout.git("rev-parse", "HEAD")
    commit = pipeline.get(f"{repository}/commits/main")
    assert (commit["sha"], commit["files"][0]["filename"]) == (head, "README.md")
    first = pipeline.get(f"{repository}/commits/v1")
    assert [each["status"] for each in first["files"]] == ["added", "added"]
    assert [each["sha"] for each in pipeline.get(f"{repository}/commits?path=README.md")] == [
        head,
        first["sha"],
    ]
    assert pipeline.get(f"{repository}/git/ref/heads/main")["object"]["sha"] == head
    for spelling in ("main~1", "@", "main^{tree}", "--help", ":/Begin"):
        assert pipeline.send("GET", f"{repository}/commits/{spelling}").status_code == 422
