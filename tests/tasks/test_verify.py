"""What proves a login, and what does not."""

from __future__ import annotations

import pytest

from runbook.errors import VerificationFailed
from tests.tables import table
from tests.tasks.enabled import ROLE, Place


@table(
    "path, body, words",
    {
        "a namespace that the role does not bind, in Vault's words": (
            ROLE,
            {"bound_service_account_namespaces": ["payments"]},
            "namespace not authorized",
        ),
        "a session that may read too much": (
            "sys/policies/acl/emea-kv-r",
            {"policy": 'path "k8s_secrets/data/*" { capabilities = ["read", "list"] }'},
            "must not be allowed",
        ),
    },
)
def test_the_proof_fails(place: Place, path: str, body: dict[str, object], words: str) -> None:
    place.enable()
    place.admin.write(path, body)
    with pytest.raises(VerificationFailed, match=words):
        place.proves("web")


def test_the_session_of_the_proof_is_revoked(place: Place) -> None:
    place.enable()
    position = place.server.audit_position()
    place.proves("payments")
    entries = place.server.audit_entries(position)
    paths = [entry["request"]["path"] for entry in entries if entry["type"] == "request"]
    assert paths.count("auth/ember-k8s/login") == 1
    assert paths[-1] == "auth/token/revoke-self"
