"""What GitHub sends, over a real socket: which of it causes a look, and at what."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.names import Cluster
from tests.deployments.merge_service.conftest import Sender
from tests.deployments.merge_service.payloads import BRANCH, REPOSITORY, ping, pull_request, push

CHANGES = {"base": {"ref": {"from": "main"}, "sha": {"from": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"}}}


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        pytest.param("pull_request", pull_request("closed", merged=True), id="merged"),
        pytest.param("pull_request", pull_request("closed"), id="closed without a merge"),
        pytest.param("pull_request", pull_request("reopened"), id="reopened"),
        pytest.param(
            "pull_request", pull_request("synchronize", before="a" * 40), id="somebody pushed to it"
        ),
        pytest.param("pull_request", pull_request("edited", changes=CHANGES), id="another base branch"),
        pytest.param(
            "pull_request", pull_request("closed", full_name=REPOSITORY.upper()), id="spelled otherwise"
        ),
        pytest.param("push", push("refs/heads/master"), id="push to the base branch"),
        pytest.param("push", push(f"refs/heads/{BRANCH}"), id="push to the branch of a run"),
        pytest.param("push", push(f"refs/heads/{BRANCH}", deleted=True), id="the branch of a run is deleted"),
    ],
)
def test_what_may_concern_a_run_has_its_repository_looked_at_as_its_connection_spells_it(
    sender: Sender, event: str, payload: dict[str, Any]
) -> None:
    answer = sender.send(event, payload)
    assert (answer.status_code, answer.json()) == (202, {"message": "looking"})
    assert sender.looked_at() == [REPOSITORY]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        *[
            ("pull_request", pull_request(action))
            for action in ("opened", "labeled", "assigned", "review_requested", "of_the_future")
        ],
        pytest.param("push", push("refs/heads/topic"), id="to another branch"),
        pytest.param("push", push("refs/heads/topic", deleted=True), id="that deletes another branch"),
        pytest.param("push", push("refs/heads/main"), id="to the base branch of another repository"),
        pytest.param("push", push("refs/tags/master"), id="of a tag"),
        pytest.param("push", push("master"), id="of no full ref"),
        *[(event, {"action": "opened"}) for event in ("issues", "workflow_run", "star", "of_the_future", "")],
        pytest.param(
            "pull_request", pull_request("closed", full_name="somebody/else"), id="of no connection"
        ),
    ],
)
def test_everything_else_is_taken_and_ignored_and_that_is_said(
    sender: Sender, event: str, payload: dict[str, Any]
) -> None:
    answer = sender.send(event, payload)
    assert answer.status_code == 202
    assert "ignored" in answer.json()["message"]
    assert sender.looked_at() == []


def test_the_branches_of_runs_are_known_by_their_prefix() -> None:
    assert Cluster("emea", "ember").branch == BRANCH


def test_a_ping_is_answered(sender: Sender) -> None:
    assert sender.send("ping", ping()).status_code == 200
    assert sender.looked_at() == []


def test_a_delivery_that_comes_again_is_one_more_look(sender: Sender) -> None:
    for _ in range(2):
        assert sender.send("push", push("refs/heads/master")).json() == {"message": "looking"}
    assert set(sender.looked_at()) == {REPOSITORY}
