"""What one look at Vault takes for granted of an earlier one."""

from __future__ import annotations

from typing import Any

from runbook.names import Cluster
from runbook.objects import Mount, Role, Seen
from runbook.vault_answers import MountInVault

EMBER = Cluster("emea", "ember")
ROLE = Role(EMBER, "vault-secret-fetcher", ("web",), ("emea-kv-r",))
THEIRS = {
    "bound_service_account_names": ["theirs"],
    "bound_service_account_namespaces": ["theirs"],
    "token_policies": ["emea-kv-r"],
}


class Vault:
    """By now with a mount for ember, and a role that somebody has made there."""

    def auth_mounts(self) -> dict[str, MountInVault]:
        return {EMBER.mount: MountInVault(EMBER.mount, "kubernetes", "auth_kubernetes_1a2b", {})}

    def role(self, *_names: str) -> dict[str, Any]:
        return THEIRS


def test_a_role_on_a_mount_that_an_earlier_look_did_not_find_is_read_before_it_is_written() -> None:
    seen = Seen(Vault(), auth_mounts={})  # type: ignore[arg-type]
    assert Mount(EMBER).compare(seen).action == "create"
    change = ROLE.compare(seen)
    assert change.found == "different"
    assert set(change.payload["bound_service_account_namespaces"]) == {"theirs", "web"}


def test_what_was_written_is_looked_for_anew() -> None:
    seen = Seen(Vault(), auth_mounts={})  # type: ignore[arg-type]
    change = Mount(EMBER).compare(seen)
    seen.forget([change])
    assert Mount(EMBER).compare(seen).action == "none"
