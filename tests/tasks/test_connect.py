"""When the connections of a run are loaded, through a real Prefect server."""

from __future__ import annotations

from uuid import uuid4

import pytest
from pydantic import SecretStr

from connections import VaultConnection
from runbook.errors import AccessDenied, InvalidInput
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tasks import connect
from tests.printed_commands import missing, printed_policy
from tests.rights import token_with
from tests.tasks.conftest import request


def test_a_connection_is_loaded_each_time_so_that_a_corrected_one_counts(
    prefect_harness: PrefectServer,
) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}")
    with pytest.raises(InvalidInput, match="there is no VaultConnection of that name"):
        connect.vault_connection(run)
    for address in ("https://one.example.com", "https://two.example.com"):
        VaultConnection(address=address, token=SecretStr("t")).save(run.vault, overwrite=True)
        assert connect.vault_connection(run).address == address


def test_what_vault_refuses_in_any_step_comes_with_the_command_for_the_rights_of_this_run(
    prefect_harness: PrefectServer, vault: VaultServer
) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}", policy_scope="cluster")
    token = SecretStr(token_with(vault, 'path "sys/mounts" { capabilities = ["read"] }'))
    VaultConnection(address=vault.address, ca_cert=vault.ca_pem, token=token).save(run.vault)
    with connect.vault(run) as client:
        assert "k8s_secrets" in client.secret_mounts()
    with pytest.raises(AccessDenied) as refused, connect.vault(run) as client:
        client.policy("emea-ember-kv-r")
    assert "sys/policies/acl/emea-ember-kv-r: may not read: 403" in str(refused.value)
    assert missing(printed_policy(refused.value.remedy), run) == []
