"""Deliveries to a webhook: signed, each with an id, in the order in which things happened."""

from __future__ import annotations

import hashlib
import hmac
import time

from deployments.sandbox.github_api import GitHubApi, Webhook
from tests.deployments.sandbox.github_api.receiver import Receiver
from tests.github_checkout import Caller, Checkout

SECRET = "a secret of both sides"


def test_a_life_of_a_pull_request_is_told_in_order(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, reviewer: Caller, receiver: Receiver
) -> None:
    github.webhooks.append(Webhook(receiver.url, SECRET))
    base = checkout.git("rev-parse", "origin/main")
    first = checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    second = checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    merged = reviewer.merge(1).json()["sha"]
    told = receiver.wait_for(6)
    assert [(event, payload.get("action") or payload.get("ref")) for event, payload in told] == [
        ("push", "refs/heads/topic"),
        ("pull_request", "opened"),
        ("push", "refs/heads/topic"),
        ("pull_request", "synchronize"),
        ("pull_request", "closed"),
        ("push", "refs/heads/main"),
    ]
    created, opened, _, moved, closed, landed = (payload for _, payload in told)
    assert (created["created"], created["before"], created["after"]) == (True, "0" * 40, first)
    assert (opened["number"], opened["pull_request"]["head"]["sha"]) == (1, first)
    assert opened["sender"]["login"] == "pipeline"
    assert opened["repository"]["full_name"] == "sandbox/gitops"
    assert (moved["before"], moved["after"]) == (first, second)
    assert closed["pull_request"]["merged"] is True
    assert closed["pull_request"]["merge_commit_sha"] == merged
    assert (landed["before"], landed["after"], landed["forced"]) == (base, merged, False)
    assert landed["head_commit"]["id"] == merged
    assert {name for commit in landed["commits"] for name in commit["added"]} == {"one.txt", "two.txt"}


def test_a_close_without_a_merge_is_told_as_such(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, receiver: Receiver
) -> None:
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    github.webhooks.append(Webhook(receiver.url, SECRET, events=("pull_request",)))
    checkout.git("push", "--quiet", "origin", ":topic")
    ((event, payload),) = receiver.wait_for(1)
    assert (event, payload["action"], payload["pull_request"]["merged"]) == ("pull_request", "closed", False)


def test_each_delivery_is_signed_and_has_an_id_of_its_own(
    github: GitHubApi, checkout: Checkout, receiver: Receiver
) -> None:
    github.webhooks.append(Webhook(receiver.url, SECRET))
    checkout.propose("topic", "One", one_txt="1\n")
    checkout.propose("other", "Two", two_txt="2\n")
    receiver.wait_for(2)
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={expected}"
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert len({headers["x-github-delivery"] for headers in receiver.headers}) == 2
    assert [each.status for each in github.deliveries] == [202, 202]


def test_a_receiver_that_is_not_there_holds_nothing_up(
    github: GitHubApi, checkout: Checkout, pipeline: Caller
) -> None:
    github.webhooks.append(Webhook("http://127.0.0.1:1/hook", SECRET))
    commit = checkout.propose("topic", "One", one_txt="1\n")
    assert pipeline.get("/repos/sandbox/gitops/branches/topic")["commit"]["sha"] == commit
    deadline = time.monotonic() + 20
    while not github.deliveries:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert github.deliveries[0].status == 0
