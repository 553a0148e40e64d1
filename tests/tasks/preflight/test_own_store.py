"""API servers with a public certificate: Vault goes by its own store, where it can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connections import VaultConnection
from runbook.conventions import Conventions
from runbook.hosts import ApiServer
from sandbox.certificates import CertificateAuthority
from tasks.preflight import vault as rows
from tests.systems.openshift.scripted_api import Answer, scripted_server
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import Installation, failed, row, the_error

OWN_STORE = make(conventions=Conventions(reviewer_ca="vault"))
API = ApiServer("https://api.ember.example.com:6443", "")


def test_openbao_which_takes_no_config_without_a_ca_fails_before_anything_is_written(
    installation: Installation,
) -> None:
    found = installation.ask("vault", request=OWN_STORE)
    assert rows.OWN_STORE in failed(found)
    assert "is OpenBao" in row(found, rows.OWN_STORE).found
    assert "Set reviewer_ca of the conventions to 'connection'" in the_error(found).remedy
    with_ca = installation.ask("vault")
    assert rows.OWN_STORE not in [one.prerequisite for one in with_ca.rows]


@pytest.mark.parametrize(
    ("says", "has_own_store"),
    [
        ({"version": "1.17.0", "enterprise": False}, True),
        ({"version": "1.21.3+ent", "enterprise": True}, True),
        ({"version": "2.0.1", "enterprise": False}, True),
        ({"version": "1.16.9", "enterprise": False}, False),
        ({"version": "1.9.4"}, False),
        ({"version": "2.4.1"}, False),  # OpenBao
    ],
)
def test_which_servers_take_a_config_without_a_ca(
    says: dict[str, Any], has_own_store: bool, tmp_path: Path
) -> None:
    with scripted_server(tmp_path, CertificateAuthority("of Vault")) as server:
        server.answers["/v1/sys/health"] = Answer.json({"initialized": True, "sealed": False, **says})
        connection = VaultConnection(address=server.url, ca_cert=server.ca_pem, token="hvs.any")
        with connection.anonymous_client() as vault:
            assert vault.health().has_own_store is has_own_store


def test_the_config_is_written_without_a_ca_and_one_that_has_none_is_as_wanted() -> None:
    config = OWN_STORE.config
    change = config.compare_with(None, API)
    assert change.payload["kubernetes_ca_cert"] == ""
    assert change.payload["disable_local_ca_jwt"] is True
    assert "@ca.pem" not in config.by_hand(change)
    there = {**change.payload, "token_reviewer_jwt_set": True}
    assert config.compare_with(there, API).action == "none"
    with_ca = replace(API, ca_pem=CertificateAuthority("any").pem)
    assert config.compare_with(there, with_ca).payload["kubernetes_ca_cert"] == with_ca.ca_pem.strip()
    assert "@ca.pem" in config.by_hand(config.compare_with(there, with_ca))
