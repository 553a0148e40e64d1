"""Auth mount and role, on a real Vault."""

from __future__ import annotations

import pytest

from runbook.changes import pending
from runbook.errors import Conflict
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks.auth_method import mount_changes, realize_mount
from tasks.role import realize_role, role_changes
from tests.tasks.conftest import request

ROLE = "auth/ember-k8s/role/emea-ops"


def role(vault: Vault) -> dict[str, object]:
    return dict(vault.role("ember-k8s", "emea-ops") or {})


def test_a_free_path_gets_the_kubernetes_method_once(
    pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_mount(pipeline, request_for_ember)
    assert pipeline.auth_mounts()["ember-k8s"].type == "kubernetes"
    assert pending(mount_changes(pipeline, request_for_ember)) == ()


def test_a_mount_of_another_type_is_a_conflict_and_stays(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    admin.write("sys/auth/ember-k8s", {"type": "approle"})
    with pytest.raises(Conflict, match="type 'approle'"):
        realize_mount(pipeline, request_for_ember)
    assert admin.auth_mounts()["ember-k8s"].type == "approle"


def test_a_new_role_is_as_the_runbook_has_it(pipeline: Vault, request_for_ember: EnableRequest) -> None:
    realize_mount(pipeline, request_for_ember)
    realize_role(pipeline, request_for_ember)
    written = role(pipeline)
    assert written["alias_name_source"] == "serviceaccount_uid"
    assert written["bound_service_account_names"] == ["vault-secret-fetcher"]
    assert written["bound_service_account_namespaces"] == ["payments", "web"]
    assert written["token_policies"] == ["emea-kv-r"]
    assert written["token_ttl"] == 3600
    assert pending(role_changes(pipeline, request_for_ember)) == ()


def test_names_namespaces_and_settings_of_others_stay(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_mount(pipeline, request_for_ember)
    theirs = {
        "bound_service_account_names": ["argocd", "vault-secret-fetcher"],
        "bound_service_account_namespaces": ["argocd"],
        "bound_service_account_namespace_selector": '{"matchLabels":{"team":"storage"}}',
        "token_policies": ["emea-kv-r"],
        "token_max_ttl": "4h",
    }
    admin.write(ROLE, theirs)
    realize_role(pipeline, request_for_ember)
    written = role(pipeline)
    assert written["bound_service_account_names"] == ["argocd", "vault-secret-fetcher"]
    assert written["bound_service_account_namespaces"] == ["argocd", "payments", "web"]
    assert written["bound_service_account_namespace_selector"] == '{"matchLabels":{"team":"storage"}}'
    assert written["token_max_ttl"] == 4 * 3600


def test_a_glob_that_covers_ours_needs_nothing_beside_it(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_mount(pipeline, request_for_ember)
    realize_role(pipeline, request_for_ember)
    admin.write(ROLE, {"bound_service_account_namespaces": ["*"]})
    # "* mixed with a value" would be refused with 400.
    assert pending(realize_role(pipeline, request_for_ember)) == ()


def test_a_role_that_hands_out_another_policy_is_a_conflict_and_stays(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_mount(pipeline, request_for_ember)
    realize_role(pipeline, request_for_ember)
    admin.write(ROLE, {"token_policies": ["emea-kv-r", "billing"]})
    with pytest.raises(Conflict, match="billing"):
        realize_role(pipeline, request_for_ember)
    assert role(pipeline)["token_policies"] == ["emea-kv-r", "billing"]


def test_narrowing_the_scope_of_a_role_in_use_is_a_conflict(
    pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_mount(pipeline, request_for_ember)
    realize_role(pipeline, request_for_ember)
    with pytest.raises(Conflict, match="policy_scope"):
        realize_role(pipeline, request(policy_scope="cluster"))
