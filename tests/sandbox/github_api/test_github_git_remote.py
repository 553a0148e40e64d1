"""The Git remote: cloned, fetched from and pushed to by the real Git."""

from __future__ import annotations

from pathlib import Path

import requests

from sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

GITOPS = "sandbox/gitops"


def test_a_clone_has_the_seeds_history_branches_and_tags(github: GitHubApi, checkout: Checkout) -> None:
    assert checkout.git("rev-list", "--count", "HEAD") == "3"
    assert checkout.git("tag") == "v1"
    assert github.default_branch(GITOPS) == "main"


def test_a_clone_without_a_token_is_asked_for_one(github: GitHubApi, tmp_path: Path) -> None:
    done = Checkout(tmp_path, "nobody").run("clone", github.clone_url(GITOPS), ".")
    assert "could not read Username" in done.stderr
    answer = requests.get(f"{github.clone_url(GITOPS)}/info/refs?service=git-upload-pack", timeout=30)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="GitHub"')
    done = Checkout(tmp_path, "liar", token="ghp_wrong").run("clone", github.clone_url(GITOPS), ".")
    assert "Authentication failed" in done.stderr


def test_who_may_not_read_it_does_not_learn_that_it_is_there(github: GitHubApi, tmp_path: Path) -> None:
    stranger = Checkout(tmp_path, "stranger", token=github.token_of("stranger"))
    there = stranger.run("ls-remote", github.clone_url(GITOPS)).stderr
    nowhere = stranger.run("ls-remote", github.clone_url("sandbox/nothing")).stderr
    assert "not found" in there
    assert there.replace("gitops", "nothing") == nowhere


def test_a_shallow_and_partial_clone_fetches_only_what_it_needs(github: GitHubApi, tmp_path: Path) -> None:
    partial = Checkout(tmp_path, "partial", token=github.token_of("read-only"))
    partial.clone(github.clone_url(GITOPS), "--depth=1", "--filter=blob:none", "--no-checkout")
    assert partial.git("rev-list", "--count", "HEAD") == "1"
    missing = partial.git("rev-list", "--objects", "--missing=print", "HEAD")
    assert sum(line.startswith("?") for line in missing.splitlines()) == 3
    assert "Each has a folder." in partial.git("show", "HEAD:README.md")


def test_a_large_push_arrives_in_chunks(checkout: Checkout, pipeline: Caller) -> None:
    # Above http.postBuffer Git sends the pack with chunked encoding, after a probe.
    checkout.git("config", "http.postBuffer", "70000")
    content = "".join(f"{number * 7919 % 1000003}\n" for number in range(60_000))
    commit = checkout.propose("large", "Add a large file", large_txt=content)
    assert pipeline.get(f"/repos/{GITOPS}/git/ref/heads/large")["object"]["sha"] == commit


def test_a_push_with_a_read_only_token_is_refused(github: GitHubApi, tmp_path: Path) -> None:
    reader = Checkout(tmp_path, "reader", token=github.token_of("read-only"))
    reader.clone(github.clone_url(GITOPS))
    reader.commit("Try", new_yaml="a: 1\n")
    assert "403" in reader.run("push", "origin", "HEAD:refs/heads/tried").stderr


def test_a_seed_with_another_branch_name_keeps_it(tmp_path: Path) -> None:
    source = Checkout(tmp_path, "source")
    source.git("init", "--quiet", "--initial-branch=trunk")
    source.commit("Begin", README_md="x\n")
    with GitHubApi(tmp_path / "trunk", {GITOPS: source.folder}) as github:
        assert github.default_branch(GITOPS) == "trunk"


def test_the_seed_is_never_written_to(checkout: Checkout, pipeline: Caller, gitops_seed: Path) -> None:
    before = checkout.git("-C", str(gitops_seed), "for-each-ref")
    checkout.propose("topic", "One", one_txt="1\n")
    assert pipeline.merge(pipeline.open("topic")["number"]).status_code == 200
    assert checkout.git("-C", str(gitops_seed), "for-each-ref") == before
