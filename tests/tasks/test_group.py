"""The administrators' group and its alias, on a real Vault."""

from __future__ import annotations

import pytest

from runbook.changes import pending
from sandbox.vault_server import VaultServer
from systems.vault import Vault
from tests.rights import policy_of_the_tests, token_with
from tests.steps import alias_changes, group_changes, realize_group, realize_policies
from tests.tasks.conftest import client, request
from tests.tasks.identities import OURS, group_of, other_group, owner, write_alias


def user_policies(vault: VaultServer, client: Vault, groups: list[str]) -> tuple[str, ...]:
    """What somebody with these groups at the identity provider may do after a login at ``oidc/``."""
    answer = client.http.with_token(None).send(
        "post", "auth/oidc/login", {"role": "users", "jwt": vault.sign_user_jwt(groups)}
    )
    assert answer.status == 200, answer.words
    return tuple(answer.body["auth"].get("identity_policies") or ())


def test_a_user_of_the_group_gets_the_write_policy_and_nobody_else_does(
    vault: VaultServer, pipeline: Vault
) -> None:
    realize_policies(pipeline, request())
    realize_group(pipeline, request())
    assert user_policies(vault, pipeline, ["vault-admins-emea"]) == ("emea-kv-rw",)
    assert user_policies(vault, pipeline, ["vault-admins-moc"]) == ()


def test_the_group_is_as_the_runbook_has_it(pipeline: Vault) -> None:
    realize_group(pipeline, request())
    group = group_of(pipeline)
    assert (group.type, group.policies) == ("external", ("emea-kv-rw",))
    assert group.metadata == {"responsibility": "Vault emea Admin"}
    assert group.alias is not None
    assert group.alias.name == "vault-admins-emea"


def test_policies_and_metadata_of_others_stay(admin: Vault, pipeline: Vault) -> None:
    theirs = {
        "type": "external",
        "policies": ["audit-readers"],
        "metadata": {"responsibility": "the storage team", "ticket": "4711"},
    }
    admin.write("identity/group/name/vault-admins-emea", theirs)
    # Not with the pipeline's own policy, which allows our own policy in the list alone.
    realize_group(admin, request())
    group = group_of(pipeline)
    assert set(group.policies) == {"audit-readers", "emea-kv-rw"}
    assert group.metadata == {"responsibility": "the storage team", "ticket": "4711"}


def test_an_alias_that_an_empty_nameless_group_owns_is_moved(
    vault: VaultServer, admin: Vault, pipeline: Vault
) -> None:
    write_alias(admin, OURS)
    assert owner(admin).startswith("group_")
    mover = token_with(vault, policy_of_the_tests(vault, ["move-alias"]))
    with client(vault, mover) as allowed:
        realize_group(allowed, request())
    assert owner(pipeline) == OURS
    assert user_policies(vault, pipeline, ["vault-admins-emea"]) == ("emea-kv-rw",)


@pytest.mark.parametrize("group_name", ["Vault-Admins-EMEA", "vault-admins-emea"])
@pytest.mark.parametrize("alias_name", ["VAULT-ADMINS-emea", "vault-admins-emea"])
def test_a_name_in_capitals_is_the_same_name_to_vault_is_said_and_kept(
    vault: VaultServer, admin: Vault, group_name: str, alias_name: str
) -> None:
    admin.http.send("delete", "identity/group/name/vault-admins-emea")
    other_group(admin, group_name, alias=alias_name, policies=["theirs"])
    for change, name in zip(realize_group(admin, request()), (group_name, alias_name), strict=True):
        assert (f"is spelled {name!r}" in str(change)) == (name != "vault-admins-emea")
    group = group_of(admin)
    assert group.alias is not None
    assert (group.name, group.alias.name) == (group_name, alias_name)
    assert set(group.policies) == {"theirs", "emea-kv-rw"}
    assert set(user_policies(vault, admin, ["vault-admins-emea"])) == {"theirs", "emea-kv-rw"}
    assert pending([*group_changes(admin, request()), *alias_changes(admin, request())]) == ()


def test_an_alias_that_is_moved_gets_our_spelling_and_the_plan_says_so(admin: Vault) -> None:
    write_alias(admin, "Vault-Admins-EMEA")
    (change,) = alias_changes(admin, request())
    assert [part.field for part in change.differences] == ["name", "canonical_id"]
