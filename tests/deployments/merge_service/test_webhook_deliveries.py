"""What GitHub sends, over a real socket: which of it causes a look, and at what."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.merge_service.payloads import BRANCH_PREFIX
from runbook.names import Cluster
from tests.deployments.merge_service.conftest import Sender
from tests.deployments.merge_service.payloads import BRANCH, REPOSITORY, ping, pull_request, push

CHANGES = {"base": {"ref": {"from": "main"}, "sha": {"from": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"}}}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(pull_request("closed", merged=True), id="merged"),
        pytest.param(pull_request("closed"), id="closed without a merge"),
        pytest.param(pull_request("reopened"), id="reopened"),
        pytest.param(
            pull_request("synchronize", before="a" * 40, after="b" * 40), id="somebody pushed to it"
        ),
        pytest.param(pull_request("edited", changes=CHANGES), id="another base branch"),
    ],
)
def test_what_happens_to_a_pull_request_has_its_repository_looked_at(
    sender: Sender, payload: dict[str, Any]
) -> None:
    answer = sender.send("pull_request", payload)
    assert (answer.status_code, answer.json()) == (202, {"message": "looking"})
    assert sender.looked_at() == [REPOSITORY]


@pytest.mark.parametrize("action", ["opened", "labeled", "assigned", "review_requested", "of_the_future"])
def test_other_actions_are_taken_and_ignored(sender: Sender, action: str) -> None:
    answer = sender.send("pull_request", pull_request(action))
    assert answer.status_code == 202
    assert "ignored" in answer.json()["message"]
    assert sender.looked_at() == []


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(push("refs/heads/master"), id="to the base branch"),
        pytest.param(push(f"refs/heads/{BRANCH}"), id="to the branch of a run"),
        pytest.param(push(f"refs/heads/{BRANCH}", deleted=True), id="that deletes the branch of a run"),
    ],
)
def test_a_push_that_may_concern_a_run_has_its_repository_looked_at(
    sender: Sender, payload: dict[str, Any]
) -> None:
    assert sender.send("push", payload).json() == {"message": "looking"}
    assert sender.looked_at() == [REPOSITORY]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(push("refs/heads/topic"), id="to another branch"),
        pytest.param(push("refs/heads/topic", created=True), id="that makes another branch"),
        pytest.param(push("refs/heads/topic", deleted=True), id="that deletes another branch"),
        pytest.param(push("refs/heads/main"), id="to the base branch of another repository"),
        pytest.param(push("refs/tags/master"), id="of a tag"),
        pytest.param(push("master"), id="of no full ref"),
    ],
)
def test_other_pushes_are_taken_and_ignored(sender: Sender, payload: dict[str, Any]) -> None:
    answer = sender.send("push", payload)
    assert answer.status_code == 202
    assert "ignored" in answer.json()["message"]
    assert sender.looked_at() == []


def test_the_branches_of_runs_are_known_by_their_prefix() -> None:
    assert Cluster(env="emea", name="ember").branch == BRANCH
    assert BRANCH.startswith(BRANCH_PREFIX)


def test_a_ping_is_answered(sender: Sender) -> None:
    assert sender.send("ping", ping()).status_code == 200
    assert sender.looked_at() == []


@pytest.mark.parametrize("event", ["issues", "workflow_run", "star", "of_the_future", ""])
def test_other_events_are_taken_and_ignored(sender: Sender, event: str) -> None:
    answer = sender.send(event, {"action": "opened"})
    assert answer.status_code == 202
    assert "ignored" in answer.json()["message"]
    assert sender.looked_at() == []


def test_a_repository_that_no_connection_names_is_ignored_and_that_is_said(sender: Sender) -> None:
    answer = sender.send("pull_request", pull_request("closed", merged=True, full_name="somebody/else"))
    assert answer.status_code == 202
    assert "of this repository" in answer.json()["message"]
    assert sender.looked_at() == []


def test_a_repository_is_looked_at_as_its_connection_spells_it(sender: Sender) -> None:
    sender.send("pull_request", pull_request("closed", full_name=REPOSITORY.upper()))
    assert sender.looked_at() == [REPOSITORY]
