"""Asking the same questions again and again: whatever changed, at the price of what changed."""

from __future__ import annotations

import pytest

from sandbox.github_api import GitHubApi
from sandbox.github_api.limits import RateLimits
from systems.github import GitHub
from tests.github_checkout import Caller, Checkout


def propose(checkout: Checkout, caller: Caller, branch: str, base: str = "main") -> int:
    checkout.propose(branch, f"Add {branch}", **{f"{branch}_md": f"{branch}\n"})
    return int(caller.open(branch, base=base)["number"])


def test_it_tells_what_each_open_pull_request_to_the_base_branch_proposes(
    github: GitHub, checkout: Checkout, reviewer: Caller
) -> None:
    checkout.git("push", "--quiet", "origin", "main:release")
    numbers = [propose(checkout, reviewer, branch) for branch in ("one", "two", "three")]
    propose(checkout, reviewer, "elsewhere", base="release")
    heads = github.open_heads("main")
    assert list(heads) == numbers
    assert heads[numbers[0]] == checkout.git("rev-parse", "origin/one")

    pushed = checkout.propose("two", "Once more", two_md="2\n")
    reviewer.merge(numbers[0])
    assert github.open_heads("main") == {numbers[1]: pushed, numbers[2]: heads[numbers[2]]}
    checkout.git("fetch", "--quiet", "origin")
    assert github.base_commit("main") == checkout.git("rev-parse", "origin/main")


def test_what_has_not_changed_costs_nothing_of_the_rate_limit(
    github: GitHub, stand_in: GitHubApi, checkout: Checkout, reviewer: Caller
) -> None:
    propose(checkout, reviewer, "one")
    first = (github.open_heads("main"), github.base_commit("main"))
    stand_in.rate_limits = RateLimits(requests=3)
    for _ in range(10):
        assert (github.open_heads("main"), github.base_commit("main")) == first
    assert [one.status for one in stand_in.requests[-20:]] == [304] * 20


@pytest.mark.long
def test_more_than_a_page_of_pull_requests_is_read_to_its_end(
    github: GitHub, stand_in: GitHubApi, checkout: Checkout, reviewer: Caller
) -> None:
    stand_in.rate_limits = RateLimits(writes_per_minute=1000)
    branches = [f"b{number}" for number in range(101)]
    for branch in branches:
        checkout.git("checkout", "--quiet", "--no-track", "-B", branch, "origin/main")
        checkout.commit(f"Add {branch}", **{f"{branch}_md": f"{branch}\n"})
    checkout.git("push", "--quiet", "origin", *branches)
    numbers = [int(reviewer.open(branch)["number"]) for branch in branches]
    before = len(stand_in.requests)
    assert list(github.open_heads("main")) == numbers
    assert len(stand_in.requests) - before == 2
