"""Forks, which arrive after they were asked for, and pull requests from them."""

from __future__ import annotations

import time
from pathlib import Path

from deployments.sandbox.github_api import GitHubApi, User
from tests.github_checkout import Caller, Checkout

UPSTREAM = "/repos/sandbox/gitops"


def wait_for_branch(caller: Caller, full_name: str, branch: str = "main") -> None:
    deadline = time.monotonic() + 20
    while caller.send("GET", f"/repos/{full_name}/branches/{branch}").status_code != 200:
        assert time.monotonic() < deadline, f"{full_name} got no Git data"
        time.sleep(0.02)


def test_a_fork_is_there_at_once_and_its_data_a_little_later(tmp_path: Path, gitops_seed: Path) -> None:
    users = {"contributor": User(permissions={"sandbox/gitops": "read"})}
    with GitHubApi(tmp_path / "github", {"sandbox/gitops": gitops_seed}, users, fork_seconds=0.5) as github:
        contributor = Caller(github, "contributor")
        answer = contributor.send("POST", f"{UPSTREAM}/forks")
        assert answer.status_code == 202
        made = answer.json()
        assert (made["full_name"], made["fork"]) == ("contributor/gitops", True)
        assert made["parent"]["full_name"] == made["source"]["full_name"] == "sandbox/gitops"
        contributor.get("/repos/contributor/gitops/branches/main", status=404)
        contributor.get("/repos/contributor/gitops/commits/main", status=409)
        early = Checkout(tmp_path, "early", token=github.token_of("contributor"))
        assert "not found" in early.run("ls-remote", github.clone_url("contributor/gitops")).stderr
        wait_for_branch(contributor, "contributor/gitops")
        early.clone(github.clone_url("contributor/gitops"))
        assert [each["full_name"] for each in contributor.get(f"{UPSTREAM}/forks")] == ["contributor/gitops"]


def test_asking_twice_finds_the_same_fork(github: GitHubApi) -> None:
    contributor = Caller(github, "contributor")
    first, second = (contributor.send("POST", f"{UPSTREAM}/forks").json()["id"] for _ in range(2))
    assert first == second


def test_a_taken_name_is_counted_on(tmp_path: Path, gitops_seed: Path) -> None:
    repositories = {"sandbox/gitops": gitops_seed, "pipeline/gitops": None}
    with GitHubApi(tmp_path / "github", repositories) as github:
        made = Caller(github).send("POST", f"{UPSTREAM}/forks").json()
    assert made["full_name"] == "pipeline/gitops-1"


def test_only_a_member_makes_a_fork_in_an_organization(github: GitHubApi, pipeline: Caller) -> None:
    made = pipeline.send("POST", f"{UPSTREAM}/forks", {"organization": "forks"})
    assert (made.status_code, made.json()["full_name"]) == (202, "forks/gitops")
    refused = Caller(github, "contributor").send("POST", f"{UPSTREAM}/forks", {"organization": "forks"})
    assert refused.status_code == 422
    assert Caller(github, "read-only").send("POST", f"{UPSTREAM}/forks").status_code == 403


def test_a_pull_request_from_a_fork_is_merged_into_the_original(
    github: GitHubApi, tmp_path: Path, pipeline: Caller, reviewer: Caller
) -> None:
    contributor = Caller(github, "contributor")
    contributor.send("POST", f"{UPSTREAM}/forks")
    wait_for_branch(contributor, "contributor/gitops")
    checkout = Checkout(tmp_path, "fork", token=github.token_of("contributor"))
    checkout.clone(github.clone_url("contributor/gitops"))
    commit = checkout.propose("topic", "One", one_txt="1\n")
    made = contributor.open("contributor:topic")
    assert (made["head"]["label"], made["head"]["repo"]["full_name"]) == (
        "contributor:topic",
        "contributor/gitops",
    )
    ahead = contributor.get(f"{UPSTREAM}/compare/main...contributor:topic")
    assert ahead["commits"][0]["sha"] == commit
    moved = checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    assert pipeline.get(f"{UPSTREAM}/pulls/1")["head"]["sha"] == moved
    assert contributor.merge(1).status_code == 403
    assert reviewer.merge(1).status_code == 200
    assert pipeline.get(f"{UPSTREAM}/contents/two.txt")["size"] == 2
    assert [
        each["number"] for each in pipeline.get(f"{UPSTREAM}/pulls?state=all&head=contributor:topic")
    ] == [1]


def test_who_may_not_write_to_the_branch_may_not_propose_it(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    wanted = {"title": "T", "head": "topic", "base": "main"}
    for login in ("contributor", "read-only"):
        assert Caller(github, login).send("POST", f"{UPSTREAM}/pulls", wanted).status_code == 403
    assert pipeline.send("POST", f"{UPSTREAM}/pulls", wanted).status_code == 201
