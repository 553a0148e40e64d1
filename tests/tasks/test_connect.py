"""When the connections of a run are loaded, through a real Prefect server."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect import flow, task
from pydantic import SecretStr

from connections import VaultConnection
from deployments.sandbox.prefect_server import PrefectServer
from runbook.errors import InvalidInput
from runbook.request import EnableRequest
from tasks import connect
from tests.tasks.conftest import request


def _save(name: str, address: str) -> None:
    VaultConnection(address=address, token=SecretStr("t")).save(name, overwrite=True)


@task
def _address(request: EnableRequest) -> str:
    return connect.vault_connection(request).address


@flow
def _addresses(request: EnableRequest, moved_to: str) -> tuple[str, str]:
    """What two steps see when the connection is changed between them."""
    first = _address(request)
    _save(request.vault, moved_to)
    return first, _address(request)


def test_the_steps_of_one_execution_share_a_connection_and_the_next_execution_loads_it_anew(
    prefect_harness: PrefectServer,
) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}")
    _save(run.vault, "https://one.example.com")
    assert _addresses(run, "https://two.example.com") == ("https://one.example.com",) * 2
    assert _addresses(run, "https://three.example.com") == ("https://two.example.com",) * 2


def test_outside_of_a_flow_a_connection_is_loaded_each_time(prefect_harness: PrefectServer) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}")
    for address in ("https://one.example.com", "https://two.example.com"):
        _save(run.vault, address)
        assert connect.vault_connection(run).address == address


def test_two_runs_with_connections_of_other_names_do_not_see_each_others(
    prefect_harness: PrefectServer,
) -> None:
    one, other = (request(vault=f"vault-{uuid4().hex[:8]}") for _ in range(2))
    _save(one.vault, "https://one.example.com")
    _save(other.vault, "https://other.example.com")

    @flow
    def both() -> tuple[str, str]:
        return connect.vault_connection(one).address, connect.vault_connection(other).address

    assert both() == ("https://one.example.com", "https://other.example.com")


def test_a_connection_that_is_made_after_it_was_missed_is_found_in_the_same_execution(
    prefect_harness: PrefectServer,
) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}")

    @flow
    def missed_then_made() -> str:
        with pytest.raises(InvalidInput, match="there is no VaultConnection of that name"):
            connect.vault_connection(run)
        _save(run.vault, "https://made.example.com")
        return connect.vault_connection(run).address

    assert missed_then_made() == "https://made.example.com"
