"""The role, on a real Vault."""

from __future__ import annotations

import pytest

from runbook.changes import pending
from runbook.errors import Conflict
from systems.vault import Vault
from tests.steps import realize_mount, realize_role, role_changes
from tests.tasks.conftest import request
from tests.tasks.enabled import ROLE


def role(vault: Vault) -> dict[str, object]:
    return dict(vault.role("ember-k8s", "emea-ops") or {})


def test_a_new_role_is_as_the_runbook_has_it(pipeline: Vault) -> None:
    realize_mount(pipeline, request())
    realize_role(pipeline, request())
    written = role(pipeline)
    assert written["alias_name_source"] == "serviceaccount_uid"
    assert written["bound_service_account_names"] == ["vault-secret-fetcher"]
    assert written["bound_service_account_namespaces"] == ["payments", "web"]
    assert written["token_policies"] == ["emea-kv-r"]
    assert written["token_ttl"] == 3600
    assert pending(role_changes(pipeline, request())) == ()


def test_a_glob_that_covers_ours_needs_nothing_beside_it(admin: Vault, pipeline: Vault) -> None:
    realize_mount(pipeline, request())
    realize_role(pipeline, request())
    admin.write(ROLE, {"bound_service_account_namespaces": ["pay*", "web"]})
    assert pending(realize_role(pipeline, request())) == ()
    admin.write(ROLE, {"bound_service_account_namespaces": ["*"]})
    # "* mixed with a value" would be refused with 400.
    assert pending(realize_role(pipeline, request(adopt=[ROLE]))) == ()


def test_narrowing_the_scope_of_a_role_in_use_is_a_conflict(pipeline: Vault) -> None:
    realize_mount(pipeline, request())
    realize_role(pipeline, request())
    with pytest.raises(Conflict, match="policy_scope"):
        realize_role(pipeline, request(policy_scope="cluster"))
