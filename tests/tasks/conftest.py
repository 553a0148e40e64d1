"""Clients of the real Vault: as the pipeline sees it, and as its administrator does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from deployments.sandbox.vault_server import VaultServer
from runbook.request import EnableRequest
from systems.vault import Vault
from systems.vault_http import VaultHttp


def client(server: VaultServer, token: str, address: str = "", ca_pem: str | None = None) -> Vault:
    """Vault as a token's owner; elsewhere than where it is, if an address is given."""
    return Vault(VaultHttp(address or server.address, SecretStr(token), ca_pem=ca_pem or server.ca_pem))


@pytest.fixture
def pipeline(vault: VaultServer) -> Iterator[Vault]:
    """Vault with the pipeline's token."""
    with client(vault, vault.pipeline_token) as made:
        yield made


@pytest.fixture
def admin(vault: VaultServer) -> Iterator[Vault]:
    """Vault with the root token: somebody who changes things by hand."""
    with client(vault, vault.root_token) as made:
        yield made


@pytest.fixture
def request_for_ember() -> EnableRequest:
    return request()


def request(**changes: Any) -> EnableRequest:
    """The parameters of a run for emea/ember, some of them changed."""
    values: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ("payments", "web")}
    return EnableRequest.model_validate({**values, **changes})
