"""The administrators' group and its alias, on a real Vault."""

from __future__ import annotations

import pytest

from deployments.sandbox.vault_server import VaultServer
from runbook.changes import pending
from runbook.errors import Conflict
from runbook.request import EnableRequest
from systems.vault import Login, Vault
from tasks.group import alias_changes, group_changes, realize_group
from tasks.policies import realize_policies
from tests.rights import policy_of_the_tests, token_with
from tests.tasks.conftest import client


def user_policies(vault: VaultServer, client: Vault, groups: list[str]) -> tuple[str, ...]:
    """What somebody with these groups at the identity provider may do after a login at ``oidc/``."""
    answer = client.http.with_token(None).send(
        "post", "auth/oidc/login", {"role": "users", "jwt": vault.sign_user_jwt(groups)}
    )
    assert answer.status == 200, answer.words
    return tuple(answer.body["auth"].get("identity_policies") or ())


def test_a_user_of_the_group_gets_the_write_policy_and_nobody_else_does(
    vault: VaultServer, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    realize_policies(pipeline, request_for_ember)
    realize_group(pipeline, request_for_ember)
    assert user_policies(vault, pipeline, ["vault-admins-emea"]) == ("emea-kv-rw",)
    assert user_policies(vault, pipeline, ["vault-admins-moc"]) == ()


def test_the_group_is_as_the_runbook_has_it(pipeline: Vault, request_for_ember: EnableRequest) -> None:
    realize_group(pipeline, request_for_ember)
    group = pipeline.group("vault-admins-emea")
    assert group is not None
    assert (group.type, group.policies) == ("external", ("emea-kv-rw",))
    assert group.metadata == {"responsibility": "Vault emea Admin"}
    assert group.alias is not None
    assert group.alias.name == "vault-admins-emea"


def test_a_second_run_finds_nothing_to_write(pipeline: Vault, request_for_ember: EnableRequest) -> None:
    realize_group(pipeline, request_for_ember)
    changes = [*group_changes(pipeline, request_for_ember), *alias_changes(pipeline, request_for_ember)]
    assert pending(changes) == ()


def test_policies_and_metadata_of_others_stay(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    theirs = {
        "type": "external",
        "policies": ["audit-readers"],
        "metadata": {"responsibility": "the storage team", "ticket": "4711"},
    }
    admin.write("identity/group/name/vault-admins-emea", theirs)
    # Not with the pipeline's own policy, which allows our own policy in the list alone.
    realize_group(admin, request_for_ember)
    group = pipeline.group("vault-admins-emea")
    assert group is not None
    assert set(group.policies) == {"audit-readers", "emea-kv-rw"}
    assert group.metadata == {"responsibility": "the storage team", "ticket": "4711"}


def test_an_internal_group_of_the_name_is_a_conflict_and_stays(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    admin.write("identity/group/name/vault-admins-emea", {"type": "internal", "policies": ["default"]})
    with pytest.raises(Conflict, match="'internal'"):
        realize_group(pipeline, request_for_ember)
    group = pipeline.group("vault-admins-emea")
    assert group is not None
    assert group.policies == ("default",)


def test_an_alias_that_an_empty_nameless_group_owns_is_moved(
    vault: VaultServer, admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    # What the runbook's own command leaves behind when its canonical_id is empty.
    accessor = admin.auth_mounts()["oidc"].accessor
    admin.write("identity/group-alias", {"name": "vault-admins-emea", "mount_accessor": accessor})
    orphan = admin.group_of_alias("vault-admins-emea", accessor)
    assert orphan is not None
    assert orphan.name.startswith("group_")
    mover = token_with(vault, policy_of_the_tests(["move-alias"]))
    with client(vault, mover) as allowed:
        realize_group(allowed, request_for_ember)
    owner = pipeline.group_of_alias("vault-admins-emea", accessor)
    assert owner is not None
    assert owner.name == "vault-admins-emea"
    assert user_policies(vault, pipeline, ["vault-admins-emea"]) == ("emea-kv-rw",)


def test_an_alias_of_a_group_that_somebody_made_is_a_conflict_and_stays(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    accessor = admin.auth_mounts()["oidc"].accessor
    admin.write("identity/group/name/emea-people", {"type": "external", "policies": ["default"]})
    theirs = admin.group("emea-people")
    assert theirs is not None
    admin.write(
        "identity/group-alias",
        {"name": "vault-admins-emea", "mount_accessor": accessor, "canonical_id": theirs.id},
    )
    with pytest.raises(Conflict, match="belongs to the group 'emea-people'"):
        realize_group(pipeline, request_for_ember)
    owner = admin.group_of_alias("vault-admins-emea", accessor)
    assert owner is not None
    assert owner.id == theirs.id


def test_our_group_with_another_alias_is_a_conflict(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    accessor = admin.auth_mounts()["oidc"].accessor
    admin.write("identity/group/name/vault-admins-emea", {"type": "external"})
    group = admin.group("vault-admins-emea")
    assert group is not None
    admin.write(
        "identity/group-alias",
        {"name": "other-name", "mount_accessor": accessor, "canonical_id": group.id},
    )
    with pytest.raises(Conflict, match="other-name"):
        realize_group(pipeline, request_for_ember)


def test_the_login_helper_tells_a_session_from_a_refusal(vault: VaultServer, pipeline: Vault) -> None:
    credentials = {"role": "users", "jwt": vault.sign_user_jwt([])}
    assert isinstance(pipeline.log_in("oidc", credentials), Login)
    assert not isinstance(pipeline.log_in("oidc", {**credentials, "role": "nobody"}), Login)
