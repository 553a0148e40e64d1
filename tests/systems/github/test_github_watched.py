"""Asking the same questions again and again: whatever changed, at the price of what changed."""

from __future__ import annotations

import pytest

from deployments.sandbox.github_api import GitHubApi
from deployments.sandbox.github_api.limits import RateLimits
from runbook.errors import Busy
from systems.github import GitHub
from systems.github_watched import WatchedRepository
from tests.github_checkout import Caller, Checkout


def propose(checkout: Checkout, caller: Caller, branch: str, base: str = "main") -> int:
    checkout.propose(branch, f"Add {branch}", **{f"{branch}_md": f"{branch}\n"})
    return int(caller.open(branch, base=base)["number"])


@pytest.fixture
def watched(github: GitHub) -> WatchedRepository:
    return WatchedRepository(github, "main")


def test_it_tells_what_each_open_pull_request_to_the_base_branch_proposes(
    watched: WatchedRepository, checkout: Checkout, reviewer: Caller
) -> None:
    checkout.git("push", "--quiet", "origin", "main:release")
    numbers = [propose(checkout, reviewer, branch) for branch in ("one", "two", "three")]
    propose(checkout, reviewer, "elsewhere", base="release")
    heads = watched.open_heads()
    assert list(heads) == numbers
    assert heads[numbers[0]] == checkout.git("rev-parse", "origin/one")

    pushed = checkout.propose("two", "Once more", two_md="2\n")
    reviewer.merge(numbers[0])
    assert watched.open_heads() == {numbers[1]: pushed, numbers[2]: heads[numbers[2]]}
    checkout.git("fetch", "--quiet", "origin")
    assert watched.base_commit() == checkout.git("rev-parse", "origin/main")


def test_what_has_not_changed_costs_nothing_of_the_rate_limit(
    watched: WatchedRepository, stand_in: GitHubApi, checkout: Checkout, reviewer: Caller
) -> None:
    propose(checkout, reviewer, "one")
    first = (watched.open_heads(), watched.base_commit())
    stand_in.rate_limits = RateLimits(requests=3)
    for _ in range(10):
        assert (watched.open_heads(), watched.base_commit()) == first
    assert [one.status for one in stand_in.requests[-20:]] == [304] * 20


@pytest.mark.long
def test_more_than_a_page_of_pull_requests_is_read_to_its_end(
    watched: WatchedRepository, stand_in: GitHubApi, checkout: Checkout, reviewer: Caller
) -> None:
    stand_in.rate_limits = RateLimits(writes_per_minute=1000)
    branches = [f"b{number}" for number in range(101)]
    for branch in branches:
        checkout.git("checkout", "--quiet", "--no-track", "-B", branch, "origin/main")
        checkout.commit(f"Add {branch}", **{f"{branch}_md": f"{branch}\n"})
    checkout.git("push", "--quiet", "origin", *branches)
    numbers = [int(reviewer.open(branch)["number"]) for branch in branches]
    before = len(stand_in.requests)
    assert list(watched.open_heads()) == numbers
    assert len(stand_in.requests) - before == 2


def test_a_rate_limit_says_when_to_come_back(watched: WatchedRepository, stand_in: GitHubApi) -> None:
    stand_in.rate_limits = RateLimits(requests=0, window_seconds=1000)
    with pytest.raises(Busy) as caught:
        watched.open_heads()
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 1010
