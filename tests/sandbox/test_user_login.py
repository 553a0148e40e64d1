"""What a person's login at the sandbox's Vault proves."""

from __future__ import annotations

from sandbox.user_login import prove_user_login
from sandbox.vault_seed import VaultAdmin, make_group
from sandbox.vault_server import VaultServer
from tests.sandbox.conftest import MakeGroup

GROUP, POLICY = "vault-admins-emea", "emea-kv-rw"


def test_a_user_login_holds_once_group_and_alias_are_there(
    vault: VaultServer, root: VaultAdmin, group_with_alias: MakeGroup
) -> None:
    make_group(root, GROUP, POLICY, "tests")
    assert not prove_user_login(vault, "emea").holds
    group_with_alias(GROUP, POLICY)
    assert prove_user_login(vault, "emea").holds
    assert not prove_user_login(vault, "apac").holds
    group_with_alias("somebody-else", POLICY)
    assert not prove_user_login(vault, "emea").holds, "everybody gets the policy"
