"""What tests of several modules arrange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.environment import clean_environment
from sandbox.vault_seed import VaultAdmin, make_group
from sandbox.vault_server import VaultServer

MakeGroup = Callable[[str, str], None]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return clean_environment(tmp_path / "home")


@pytest.fixture
def root(vault: VaultServer) -> VaultAdmin:
    return VaultAdmin(vault.address, str(vault.ca_file), vault.root_token)


@pytest.fixture
def group_with_alias(root: VaultAdmin) -> MakeGroup:
    """Makes an external group with its alias on ``oidc/``, as root."""

    def make(group: str, policy: str) -> None:
        accessor, identifier = make_group(root, group, policy, "tests")
        alias = {"name": group, "mount_accessor": accessor, "canonical_id": identifier}
        root.request("POST", "identity/group-alias", alias)

    return make
