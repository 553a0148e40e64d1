"""GitHub's own samples of payloads, each delivered to the service over a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.deployments.merge_service.conftest import SAMPLES, Sender
from tests.npm import fetch

pytestmark = pytest.mark.download

PACKAGE = "@octokit/webhooks-examples@7.6.1"
_LOOKED_AT = {"closed", "reopened", "synchronize", "edited"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Payloads by event."""
    index = json.loads(
        fetch(PACKAGE, "package/api.github.com/index.json", tmp_path_factory.mktemp("samples"))
    )
    return {entry["name"]: entry["examples"] for entry in index}


def test_every_sample_is_answered_as_its_event_deserves(
    sender: Sender, samples: dict[str, list[dict[str, Any]]]
) -> None:
    problems = []
    for event, payloads in samples.items():
        for number, payload in enumerate(payloads):
            answer = sender.send(event, payload)
            expected = (
                "pong" if event == "ping" else "looking" if _concerns_a_run(event, payload) else "ignored"
            )
            if answer.status_code >= 300 or expected not in answer.json()["message"]:
                problems.append(f"{event} {number}: {answer.status_code} {answer.text}, not {expected}")
    assert not problems, "\n".join(problems)
    assert set(sender.looked_at()) == {SAMPLES}
    assert len(samples) > 50
    assert sum(map(len, samples.values())) > 200


def _concerns_a_run(event: str, payload: dict[str, Any]) -> bool:
    if event == "push":
        return bool(payload["ref"] == "refs/heads/master")
    return event == "pull_request" and payload["action"] in _LOOKED_AT
