"""Where an organisation describes no names, Git and Vault get what they have always got, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook.hosts import ApiServer
from runbook.objects import Seen
from runbook.request import EnableRequest
from runbook.vault_answers import MountInVault
from tests.runbook.gitops.conftest import EditsOf, Request

STORED = Path(__file__).with_name("default_run.json")
"""Made by the version before names could be described: the texts of files, and what is written to Vault."""

MODES = {"env": {}, "cluster": {"policy_scope": "cluster", "reviewer_token": "token-request"}}


class EmptyVault:
    """Vault before the first run: people can log in, and nothing of ours is there."""

    def auth_mounts(self) -> dict[str, MountInVault]:
        return {"oidc": MountInVault("oidc", "oidc", "auth_oidc_1a2b3c4d", {})}

    def __getattr__(self, name: str) -> Any:
        return lambda *_names: None


def written(request: EnableRequest) -> list[dict[str, Any]]:
    """What each object of a run becomes, with its payload."""
    vault: Any = EmptyVault()
    seen = Seen(vault, ApiServer("https://api.ember.example.com:6443", "-----BEGIN CERTIFICATE-----\n"))
    changes = [one.compare(seen) for one in request.objects]
    return [{**change.as_json(), "payload": dict(change.payload)} for change in changes]


@pytest.mark.parametrize("mode", MODES)
def test_a_default_run_writes_what_it_always_wrote(
    request_for: Request, edits_of: EditsOf, mode: str
) -> None:
    request = request_for(**MODES[mode])
    ours = {
        "git": {path: edit.after for path, edit in edits_of(**MODES[mode]).items()},
        "vault": written(request),
    }
    stored = json.loads(STORED.read_text())[mode]
    assert json.loads(json.dumps(ours)) == stored
    # In this order: a policy's rules and a file's lines are not sets.
    assert json.dumps(ours) == json.dumps(stored)
