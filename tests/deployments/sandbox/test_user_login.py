"""What a person's login at the sandbox's Vault proves."""

from __future__ import annotations

from deployments.sandbox.user_login import prove_user_login
from deployments.sandbox.vault_server import VaultServer


def test_a_user_login_holds_once_group_and_alias_are_there(vault: VaultServer) -> None:
    assert not prove_user_login(vault, "emea").holds
    group = {"name": "vault-admins-emea", "type": "external", "policies": ["emea-kv-rw"]}
    vault.request("POST", "identity/group", group)
    assert not prove_user_login(vault, "emea").holds
    identifier = vault.request("GET", "identity/group/name/vault-admins-emea")["data"]["id"]
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    alias = {"name": "vault-admins-emea", "mount_accessor": accessor, "canonical_id": identifier}
    vault.request("POST", "identity/group-alias", alias)
    assert prove_user_login(vault, "emea").holds
    assert not prove_user_login(vault, "apac").holds


def test_a_user_login_does_not_hold_when_everybody_gets_the_policy(vault: VaultServer) -> None:
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    for name in ("vault-admins-emea", "somebody-else"):
        vault.request(
            "POST", "identity/group", {"name": name, "type": "external", "policies": ["emea-kv-rw"]}
        )
        identifier = vault.request("GET", f"identity/group/name/{name}")["data"]["id"]
        alias = {"name": name, "mount_accessor": accessor, "canonical_id": identifier}
        vault.request("POST", "identity/group-alias", alias)
    assert not prove_user_login(vault, "emea").holds
