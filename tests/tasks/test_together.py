"""Many runs of one environment at the same time, against one real Vault."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runbook.changes import Change, pending
from runbook.errors import Busy
from runbook.objects.policy import administrators_policy, environment_policy
from runbook.policy_rules import rules_of
from runbook.request import EnableRequest
from sandbox.vault_server import VaultServer
from systems.vault import Vault
from tests.rights import EMBER, printed_policy, token_with
from tests.steps import (
    alias_changes,
    group_changes,
    mount_changes,
    policy_changes,
    realize_group,
    realize_mount,
    realize_policies,
    realize_role,
    role_changes,
)
from tests.tasks.conftest import client, request
from tests.tasks.identities import group_of, other_group, owner, write_alias

RUNS = 20
ROUNDS = 3

Realize = Callable[[Vault, EnableRequest], list[Change]]


class AtOnce(Vault):
    """Waits before the first write of each object until all others are about to write it, too."""

    def __init__(self, plain: Vault, barrier: threading.Barrier) -> None:
        super().__init__(plain.http)
        self._barrier = barrier
        self._written: set[str] = set()

    def write(self, path: str, payload: Any) -> None:
        """Write, the first time together with all others: by then all have read, and found nothing."""
        if path not in self._written:
            self._written.add(path)
            self._barrier.wait(60)
        super().write(path, payload)


def all_at_once(
    vault: VaultServer, realize_step: Realize, requests: list[EnableRequest]
) -> list[list[Change]]:
    """Carry out a step for all requests, each over connections of its own, with writes at one instant."""
    barrier = threading.Barrier(len(requests))
    token = token_with(vault, printed_policy(vault, [wanted.target for wanted in requests]))

    def one(wanted: EnableRequest) -> list[Change]:
        with client(vault, token) as plain:
            return realize_step(AtOnce(plain, barrier), wanted)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


def clusters(number: int) -> list[EnableRequest]:
    return [request(cluster=f"ember-{count}") for count in range(number)]


@pytest.mark.long
def test_twenty_clusters_of_one_environment_make_one_group_one_alias_and_both_policies(
    vault: VaultServer, admin: Vault
) -> None:
    for _ in range(ROUNDS):
        vault.reset()
        wanted = clusters(RUNS)
        for step in (realize_policies, realize_group, realize_mount, realize_role):
            all_at_once(vault, step, wanted)
        for ours in (environment_policy(EMBER), administrators_policy(EMBER)):
            rules = rules_of(admin.policy(ours.policy) or "")
            assert rules == {path: frozenset(granted) for path, granted in ours.paths.items()}
        assert vault.request("LIST", "identity/group/name")["data"]["keys"] == ["vault-admins-emea"]
        assert len(vault.request("LIST", "identity/group/id")["data"]["keys"]) == 1
        aliases = vault.request("LIST", "identity/group-alias/id")["data"]["keys"]
        group = group_of(admin)
        assert group.alias is not None
        assert aliases == [group.alias.id]
        assert group.policies == ("emea-kv-rw",)
        mounts = [path for path, mount in admin.auth_mounts().items() if mount.type == "kubernetes"]
        assert len(mounts) == RUNS
        for one in wanted:
            computes = (policy_changes, group_changes, alias_changes, mount_changes, role_changes)
            assert pending(change for compute in computes for change in compute(admin, one)) == ()


def test_two_runs_for_the_same_cluster_make_one_mount_and_one_alias(vault: VaultServer, admin: Vault) -> None:
    wanted = [request(), request()]
    steps = (realize_policies, realize_group, realize_mount)
    outcomes = [all_at_once(vault, step, wanted) for step in steps]
    assert admin.auth_mounts()["ember-k8s"].type == "kubernetes"
    assert len(vault.request("LIST", "identity/group-alias/id")["data"]["keys"]) == 1
    written = [change for outcome in outcomes[2] for change in pending(outcome)]
    assert len(written) == 1, "the mount was made by one of them; the other found it"


def test_an_alias_that_somebody_gives_to_another_group_in_between_is_found_and_not_taken(
    admin: Vault, pipeline: Vault
) -> None:
    realize_group(pipeline, request())
    alias = group_of(admin).alias
    assert alias is not None
    admin.http.send("delete", f"identity/group-alias/id/{alias.id}")
    people = other_group(admin, "people")

    class Overtaken(Vault):
        """Somebody writes right before it."""

        def write(self, path: str, payload: Any) -> None:
            """Write, second."""
            if path == "identity/group-alias":
                write_alias(admin, "vault-admins-emea", people)
            super().write(path, payload)

    with pytest.raises(Exception, match="is foreign: belongs to the group 'people'"):
        realize_group(Overtaken(pipeline.http), request())
    assert owner(admin) == "people"


def test_what_is_changed_between_write_and_read_back_is_written_again_and_then_said(
    admin: Vault, pipeline: Vault
) -> None:
    realize_mount(pipeline, request())
    path = "auth/ember-k8s/role/emea-ops"

    class Overwriting(Vault):
        """Reads what is there, after somebody with an old copy of the role has written that, some times."""

        left = 0

        def role(self, mount: str, name: str) -> Mapping[str, Any] | None:
            """Read, second."""
            if self.left:
                self.left -= 1
                admin.write(path, stale)
            return super().role(mount, name)

    stale = {
        "bound_service_account_names": ["argocd"],
        "bound_service_account_namespaces": ["argocd"],
        "token_policies": ["emea-kv-r"],
    }
    overwriting = Overwriting(pipeline.http)
    overwriting.left = 3
    (change,) = realize_role(overwriting, request())
    assert change.action == "update"
    role = dict(pipeline.role("ember-k8s", "emea-ops") or {})
    assert role["bound_service_account_namespaces"] == ["argocd", "payments", "web"]
    overwriting.left = 50
    with pytest.raises(Busy, match="does not read back as written"):
        realize_role(overwriting, request())
