"""The Git remote: cloned, fetched from and pushed to by the real Git."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import requests

from deployments.sandbox.github_api import GitHubApi
from tests.github_checkout import Caller, Checkout

GITOPS = "sandbox/gitops"


def test_a_clone_has_the_seeds_history_branches_and_tags(
    github: GitHubApi, checkout: Checkout, gitops_seed: Path
) -> None:
    original = Checkout(gitops_seed.parent, "looker").run("-C", str(gitops_seed), "rev-parse", "HEAD")
    assert checkout.git("rev-parse", "origin/main") == original.stdout.strip()
    assert checkout.git("rev-list", "--count", "HEAD") == "3"
    assert checkout.git("tag") == "v1"
    assert github.default_branch(GITOPS) == "main"


def test_a_clone_without_a_token_is_asked_for_one(github: GitHubApi, tmp_path: Path) -> None:
    nobody = Checkout(tmp_path, "nobody")
    done = nobody.run("clone", github.clone_url(GITOPS), ".")
    assert done.returncode != 0
    assert "could not read Username" in done.stderr
    answer = requests.get(f"{github.clone_url(GITOPS)}/info/refs?service=git-upload-pack", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="GitHub"'


def test_a_wrong_token_is_refused(github: GitHubApi, tmp_path: Path) -> None:
    done = Checkout(tmp_path, "liar", token="ghp_wrong").run("clone", github.clone_url(GITOPS), ".")
    assert done.returncode != 0
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


def test_any_commit_can_be_fetched_by_its_id(github: GitHubApi, checkout: Checkout, tmp_path: Path) -> None:
    old = checkout.git("rev-parse", "HEAD~1")
    shallow = Checkout(tmp_path, "shallow", token=github.token_of("read-only"))
    shallow.clone(github.clone_url(GITOPS), "--depth=1")
    shallow.git("fetch", "--quiet", "--depth=1", "origin", old)
    assert shallow.git("rev-parse", "FETCH_HEAD") == old


def test_a_push_arrives(github: GitHubApi, checkout: Checkout, pipeline: Caller) -> None:
    commit = checkout.propose("enable-vault/moc/ember", "Add it", new_yaml="a: 1\n")
    answer = pipeline.get(f"/repos/{GITOPS}/branches/enable-vault/moc/ember")
    assert answer["commit"]["sha"] == commit
    assert answer["commit"]["commit"]["author"]["name"] == "Dana"
    assert any(each.path.endswith("git-receive-pack") for each in github.requests)


def test_a_large_push_arrives_in_chunks(checkout: Checkout, pipeline: Caller) -> None:
    # Above http.postBuffer Git sends the pack with chunked encoding, after a probe.
    checkout.git("config", "http.postBuffer", "70000")
    content = "".join(f"{number * 7919 % 1000003}\n" for number in range(60_000))
    commit = checkout.propose("large", "Add a large file", large_txt=content)
    assert pipeline.get(f"/repos/{GITOPS}/branches/large")["commit"]["sha"] == commit


def test_a_push_with_a_read_only_token_is_refused(
    github: GitHubApi, tmp_path: Path, pipeline: Caller
) -> None:
    reader = Checkout(tmp_path, "reader", token=github.token_of("read-only"))
    reader.clone(github.clone_url(GITOPS))
    reader.commit("Try", new_yaml="a: 1\n")
    done = reader.run("push", "origin", "HEAD:refs/heads/tried")
    assert done.returncode != 0
    assert "403" in done.stderr
    pipeline.get(f"/repos/{GITOPS}/branches/tried", status=404)


def test_a_push_that_is_no_fast_forward_is_refused_without_force(checkout: Checkout) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    checkout.git("checkout", "--quiet", "-B", "topic", "origin/main")
    checkout.commit("Two", two_txt="2\n")
    done = checkout.run("push", "origin", "topic")
    assert done.returncode != 0
    assert "rejected" in done.stderr


def test_the_commits_of_a_pull_request_can_be_fetched_but_not_pushed(
    checkout: Checkout, pipeline: Caller
) -> None:
    commit = checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    checkout.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert checkout.git("rev-parse", "FETCH_HEAD") == commit
    assert checkout.run("push", "origin", "HEAD:refs/pull/1/head").returncode != 0


@pytest.mark.parametrize("path", ["HEAD", "config", "objects/info/packs", "info/refs"])
def test_files_of_the_repository_are_not_served(github: GitHubApi, path: str) -> None:
    credentials = base64.b64encode(f"x:{github.token_of('pipeline')}".encode()).decode()
    answer = requests.get(
        f"{github.clone_url(GITOPS)}/{path}", headers={"Authorization": f"Basic {credentials}"}, timeout=30
    )
    assert answer.status_code in (403, 404)
    assert "[core]" not in answer.text


def test_a_seed_with_a_detached_head_and_another_branch_name_keeps_its_content(tmp_path: Path) -> None:
    source = Checkout(tmp_path, "source")
    source.git("init", "--quiet", "--initial-branch=trunk")
    commit = source.commit("Begin", README_md="x\n")
    with GitHubApi(tmp_path / "trunk", {GITOPS: source.folder}) as github:
        assert github.default_branch(GITOPS) == "trunk"
    source.git("checkout", "--quiet", "--detach")
    with GitHubApi(tmp_path / "detached", {GITOPS: source.folder}) as github:
        branch = github.default_branch(GITOPS)
        assert Caller(github).get(f"/repos/{GITOPS}/branches/{branch}")["commit"]["sha"] == commit


def test_a_bundle_fills_a_repository(tmp_path: Path, gitops_seed: Path) -> None:
    bundler = Checkout(tmp_path, "bundler").clone(str(gitops_seed))
    bundle = tmp_path / "seed.bundle"
    bundler.git("bundle", "create", str(bundle), "--all")
    with GitHubApi(tmp_path / "github", {GITOPS: bundle}) as github:
        names = [each["name"] for each in Caller(github).get(f"/repos/{GITOPS}/branches")]
    assert names == ["main"]


def test_the_seed_is_never_written_to(checkout: Checkout, pipeline: Caller, gitops_seed: Path) -> None:
    looker = Checkout(gitops_seed.parent, "before-and-after")
    before = looker.git("-C", str(gitops_seed), "for-each-ref")
    checkout.propose("topic", "One", one_txt="1\n")
    assert pipeline.merge(pipeline.open("topic")["number"]).status_code == 200
    assert looker.git("-C", str(gitops_seed), "for-each-ref") == before
