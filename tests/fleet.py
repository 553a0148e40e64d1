"""Many clusters of one environment, see `bench.fleet`, as the tests drive them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import connect, merge, merge_only, worlds_at
from runbook.changes import pending
from runbook.objects.policy import administrators_policy, environment_policy
from runbook.policy_rules import rules_of
from runbook.request import EnableRequest
from sandbox.vault_server import VaultServer
from systems.vault import Vault
from tests.rights import EMBER
from tests.steps import alias_changes, group_changes, mount_changes, policy_changes, role_changes
from tests.tasks.conftest import client
from tests.world import World

__all__ = ["connect", "enabled_as_one_environment", "fleet_at", "merge", "merge_only"]


@contextmanager
def fleet_at(directory: Path, vault: VaultServer, clusters: Sequence[str]) -> Iterator[list[World]]:
    """The worlds; their runs that have not ended are cancelled in the end."""
    with worlds_at(directory, vault, clusters, World) as worlds:
        try:
            yield worlds
        finally:
            worlds[0].forget_runs_under_way()


def enabled_as_one_environment(vault: VaultServer, worlds: Sequence[World]) -> None:
    """One group, one alias, both policies, and for each cluster a mount with its own config and role."""
    with client(vault, vault.root_token) as admin:
        for ours in (environment_policy(EMBER), administrators_policy(EMBER)):
            rules = rules_of(admin.policy(ours.policy) or "")
            assert rules == {path: frozenset(granted) for path, granted in ours.paths.items()}
        group = admin.group("vault-admins-emea")
        assert group is not None
        assert group.policies == ("emea-kv-rw",)
        assert group.alias is not None
        assert vault.request("LIST", "identity/group/id")["data"]["keys"] == [group.id]
        assert vault.request("LIST", "identity/group-alias/id")["data"]["keys"] == [group.alias.id]
        mounts = {path for path, mount in admin.auth_mounts().items() if mount.type == "kubernetes"}
        assert mounts == {f"{world.cluster}-k8s" for world in worlds}
        for world in worlds:
            _mount_is_its_own(admin, world)


def _mount_is_its_own(admin: Vault, world: World) -> None:
    config = admin.kubernetes_config(f"{world.cluster}-k8s") or {}
    assert config["kubernetes_host"] == world.kubernetes.url
    assert config["kubernetes_ca_cert"].strip() == world.kubernetes.ca_pem.strip()
    assert config["token_reviewer_jwt_set"]
    request = EnableRequest.model_validate(world.parameters)
    computes = (policy_changes, group_changes, alias_changes, mount_changes, role_changes)
    assert pending(change for compute in computes for change in compute(admin, request)) == ()
