"""What somebody else made, on a real Vault: how each object is classed, and what the options do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deployments.sandbox.vault_server import VaultServer
from runbook.auth_method import compare_config
from runbook.changes import Change, pending
from runbook.errors import Conflict, InvalidInput
from runbook.request import EnableRequest
from systems.vault import Group, Vault
from tasks.auth_method import mount_changes, realize_mount
from tasks.group import alias_changes, group_changes, realize_group
from tasks.policies import policy_changes, realize_policies
from tasks.role import realize_role, role_changes
from tests.rights import policy_of_the_tests, token_with
from tests.tasks.conftest import client, request

ALIAS = "group-alias/vault-admins-emea"
ROLE = "auth/ember-k8s/role/emea-ops"
OTHER_RULES = 'path "k8s_secrets/data/emea/*" { capabilities = ["read"] }'
LIMITED = 'path "k8s_secrets/data/emea/*" { allowed_parameters = { "version" = [] } }'

Compute = Callable[[Vault, EnableRequest], list[Change]]


def found(changes: list[Change]) -> dict[str, str]:
    return {change.object: change.found for change in changes}


@contextmanager
def writes_nothing(vault: VaultServer) -> Iterator[None]:
    position = vault.audit_position()
    yield
    written = [
        entry["request"]["path"]
        for entry in vault.audit_entries(position)
        if entry["type"] == "request" and entry["request"]["operation"] in {"create", "update", "delete"}
    ]
    assert [path for path in written if path != "identity/lookup/group"] == []


def other_group(admin: Vault, name: str, *, alias: str = "") -> Group:
    """A group of somebody's on the OIDC mount, with an alias if one is named."""
    admin.write(f"identity/group/name/{name}", {"type": "external", "policies": ["default"]})
    group = admin.group(name)
    assert group is not None
    if alias:
        accessor = admin.auth_mounts()["oidc"].accessor
        admin.write(
            "identity/group-alias", {"name": alias, "mount_accessor": accessor, "canonical_id": group.id}
        )
    return group


def owner(vault: Vault) -> str:
    group = vault.group_of_alias("vault-admins-emea", vault.auth_mounts()["oidc"].accessor)
    return group.name if group else ""


def everything(vault: Vault, wanted: EnableRequest) -> list[Change]:
    return [
        change
        for compute in (policy_changes, group_changes, alias_changes, mount_changes, role_changes)
        for change in compute(vault, wanted)
    ]


def test_objects_are_absent_before_a_run_and_the_same_after_it(
    pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    compute = (policy_changes, group_changes, alias_changes, mount_changes)
    before = [change for part in compute for change in part(pipeline, request_for_ember)]
    assert set(found(before).values()) == {"absent"}
    for realize in (realize_policies, realize_group, realize_mount, realize_role):
        realize(pipeline, request_for_ember)
    assert set(found(everything(pipeline, request_for_ember)).values()) == {"same"}


def test_what_has_more_than_ours_is_classed_so_and_stays(
    vault: VaultServer, admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    for realize in (realize_policies, realize_group, realize_mount, realize_role):
        realize(pipeline, request_for_ember)
    text = f'{pipeline.policy("emea-kv-r")}\npath "sys/health" {{ capabilities = ["read"] }}'
    admin.write("sys/policies/acl/emea-kv-r", {"policy": text})
    admin.write("identity/group/name/vault-admins-emea", {"policies": ["emea-kv-rw", "audit-readers"]})
    admin.write(ROLE, {"bound_service_account_names": ["vault-secret-fetcher", "argocd"]})
    with writes_nothing(vault):
        changes = everything(pipeline, request_for_ember)
        assert pending(changes) == ()
    more = {name for name, word in found(changes).items() if word == "same or more"}
    assert more == {"policy/emea-kv-r", "group/vault-admins-emea", ROLE}
    assert "also bound: argocd; kept" in "\n".join(map(str, changes))


def test_what_lacks_a_part_of_ours_is_different_and_shows_before_and_after(
    admin: Vault, pipeline: Vault, request_for_ember: EnableRequest
) -> None:
    for realize in (realize_group, realize_mount, realize_role):
        realize(pipeline, request_for_ember)
    admin.write("identity/group/name/vault-admins-emea", {"policies": ["audit-readers"]})
    admin.write(ROLE, {"token_ttl": "2h"})
    (group,) = group_changes(pipeline, request_for_ember)
    (role,) = role_changes(pipeline, request_for_ember)
    assert (group.found, role.found) == ("different", "different")
    assert [(part.field, part.before, part.after) for part in role.differences] == [("token_ttl", 7200, 3600)]
    assert group.payload == {"policies": ["audit-readers", "emea-kv-rw"]}


def test_the_config_is_classed_and_what_others_set_in_it_is_kept() -> None:
    target = request().target
    ours: dict[str, Any] = {
        "kubernetes_host": "https://a",
        "kubernetes_ca_cert": "x",
        "disable_local_ca_jwt": True,
    }
    defaults = {"disable_iss_validation": True, "issuer": "", "pem_keys": [], "token_reviewer_jwt_set": True}

    def classed(current: dict[str, Any] | None) -> Change:
        return compare_config(target, current, "https://a", "x", login_works=True)

    assert classed(None).found == "absent"
    assert classed(ours | defaults).found == "same"
    assert classed(ours | defaults | {"issuer": "https://i"}).found == "same or more"
    changed = classed(ours | defaults | {"issuer": "https://i", "kubernetes_host": "https://b"})
    assert (changed.found, changed.payload["issuer"]) == ("different", "https://i")
    assert "token_reviewer_jwt_set" not in changed.payload
    no_token = classed(ours | defaults | {"token_reviewer_jwt_set": False})
    assert [part.field for part in no_token.differences] == ["token_reviewer_jwt"]


@pytest.mark.parametrize(
    ("held", "before"),
    [
        pytest.param({"token_reviewer_jwt_set": True}, "the token that Vault holds, not shown", id="one"),
        pytest.param({"token_reviewer_jwt_set": False}, None, id="none"),
        pytest.param({}, "not known", id="a Vault that does not tell"),
    ],
)
def test_the_reviewers_token_before_is_told_in_words(held: dict[str, Any], before: str | None) -> None:
    current = {"kubernetes_host": "https://a", "kubernetes_ca_cert": "x", "disable_local_ca_jwt": True} | held
    change = compare_config(request().target, current, "https://a", "x", login_works=False)
    assert [(part.field, part.before) for part in change.differences] == [("token_reviewer_jwt", before)]


@pytest.mark.parametrize(
    ("text", "difference"),
    [
        pytest.param(OTHER_RULES, "k8s_secrets/data/emea/* lacks list", id="a capability lacks"),
        pytest.param(LIMITED, 'allowed_parameters = { "version" = [] }', id="it limits parameters"),
    ],
)
def test_a_foreign_policy_is_shown_with_its_difference_and_stays_with_adopt(
    vault: VaultServer, admin: Vault, pipeline: Vault, text: str, difference: str
) -> None:
    admin.write("sys/policies/acl/emea-kv-r", {"policy": text})
    with pytest.raises(Conflict, match="is foreign") as refused:
        realize_policies(pipeline, request())
    assert difference in str(refused.value)
    assert "adopt=['policy/emea-kv-r']" in refused.value.remedy
    adopting = request(adopt=["policy/emea-kv-r"])
    changes = realize_policies(pipeline, adopting)
    assert found(changes) == {"policy/emea-kv-r": "foreign", "policy/emea-kv-rw": "absent"}
    assert changes[0].note.startswith("adopted as it stands")
    assert pipeline.policy("emea-kv-r") == text
    with writes_nothing(vault):
        realize_policies(pipeline, adopting)


def test_other_policies_of_a_role_are_foreign_and_stay_with_adopt_while_ours_are_added_to_the_lists(
    admin: Vault, pipeline: Vault
) -> None:
    realize_mount(pipeline, request())
    theirs = {
        "bound_service_account_names": ["billing"],
        "bound_service_account_namespaces": ["billing"],
        "token_policies": ["emea-kv-r", "billing"],
    }
    admin.write(ROLE, theirs)
    with pytest.raises(Conflict, match=r"is foreign: hands out the policies billing") as refused:
        realize_role(pipeline, request())
    assert f"adopt=['{ROLE}']" in refused.value.remedy
    (change,) = realize_role(pipeline, request(adopt=[ROLE]))
    assert (change.found, change.action) == ("foreign", "update")
    written = dict(pipeline.role("ember-k8s", "emea-ops") or {})
    assert written["token_policies"] == ["emea-kv-r", "billing"]
    assert written["bound_service_account_names"] == ["billing", "vault-secret-fetcher"]
    assert written["bound_service_account_namespaces"] == ["billing", "payments", "web"]
    assert "token_policies" not in change.payload
    assert found(role_changes(pipeline, request(adopt=[ROLE]))) == {ROLE: "foreign"}


def test_a_role_without_our_policy_cannot_be_adopted(admin: Vault, pipeline: Vault) -> None:
    realize_mount(pipeline, request())
    theirs = {"bound_service_account_names": ["b"], "bound_service_account_namespaces": ["b"]}
    admin.write(ROLE, theirs | {"token_policies": ["billing"]})
    with pytest.raises(Conflict, match="no workload could read its secrets"):
        realize_role(pipeline, request(adopt=[ROLE]))


def test_an_alias_of_somebodys_group_stays_with_adopt_and_moves_only_with_move_alias(
    vault: VaultServer, admin: Vault, pipeline: Vault
) -> None:
    other_group(admin, "emea-people", alias="vault-admins-emea")
    with pytest.raises(Conflict, match="is foreign: belongs to the group 'emea-people'") as refused:
        realize_group(pipeline, request())
    assert "move_alias=True" in refused.value.remedy
    assert f"adopt=['{ALIAS}']" in refused.value.remedy

    kept = realize_group(pipeline, request(adopt=[ALIAS]))[-1]
    assert (kept.found, kept.action, owner(admin)) == ("foreign", "none", "emea-people")
    assert "whose members get default" in kept.note

    with client(vault, token_with(vault, policy_of_the_tests(["move-alias"]))) as mover:
        moved = realize_group(mover, request(move_alias=True))[-1]
    assert (moved.found, moved.action, owner(admin)) == ("foreign", "update", "vault-admins-emea")
    assert "members of the identity provider's group lose 'emea-people'" in moved.note
    left = admin.group("emea-people")
    assert left is not None
    assert left.policies == ("default",)
    with writes_nothing(vault):
        assert realize_group(pipeline, request(move_alias=True))[-1].found == "same"


def test_a_nameless_group_that_somebody_put_into_a_group_of_theirs_keeps_its_alias(
    vault: VaultServer, admin: Vault
) -> None:
    accessor = admin.auth_mounts()["oidc"].accessor
    admin.write("identity/group-alias", {"name": "vault-admins-emea", "mount_accessor": accessor})
    nameless = admin.group_of_alias("vault-admins-emea", accessor)
    assert nameless is not None
    theirs = {"type": "internal", "policies": ["billing"], "member_group_ids": [nameless.id]}
    admin.write("identity/group/name/finance", theirs)
    finance = admin.group("finance")
    assert finance is not None
    with pytest.raises(Conflict, match=f"is foreign: belongs to the group '{nameless.name}'") as refused:
        realize_group(admin, request())
    inherited = f"the policies of the groups {finance.id} that it is in"
    assert f"get {inherited} from it now" in refused.value.remedy
    assert owner(admin) == nameless.name

    kept = realize_group(admin, request(adopt=[ALIAS]))[-1]
    assert f"whose members get {inherited}" in kept.note
    moved = realize_group(admin, request(move_alias=True))[-1]
    assert (moved.found, owner(admin)) == ("foreign", "vault-admins-emea")
    assert f"lose '{nameless.name}', which gives them {inherited}" in moved.note


def test_another_alias_of_our_group_stays_with_adopt_and_move_alias_does_not_touch_it(admin: Vault) -> None:
    # As the administrator: a group with somebody's own policy is beyond what the pipeline's token may write.
    other_group(admin, "vault-admins-emea", alias="emea-administrators")
    for wanted in (request(), request(move_alias=True)):
        with pytest.raises(Conflict, match="already has the alias 'emea-administrators'"):
            realize_group(admin, wanted)
    change = realize_group(admin, request(adopt=[ALIAS]))[-1]
    assert (change.found, change.action) == ("foreign", "none")
    group = admin.group("vault-admins-emea")
    assert group is not None
    assert group.alias is not None
    assert group.alias.name == "emea-administrators"
    assert owner(admin) == ""


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        pytest.param("policy/emea-kv-r", policy_changes, id="policy"),
        pytest.param(ALIAS, alias_changes, id="alias"),
        pytest.param(ROLE, role_changes, id="role"),
    ],
)
def test_nothing_is_made_in_the_place_of_an_adopted_object_that_is_not_there_and_one_of_ours_is_said_so(
    pipeline: Vault, name: str, compute: Compute
) -> None:
    realize_mount(pipeline, request())
    with pytest.raises(InvalidInput, match="there is no such object in Vault") as refused:
        compute(pipeline, request(adopt=[name]))
    assert f"adopt={name!r}" in str(refused.value)
    for realize in (realize_policies, realize_group, realize_role):
        realize(pipeline, request())
    change = next(change for change in compute(pipeline, request(adopt=[name])) if change.object == name)
    assert (change.found, change.action) == ("same", "none")
    assert "adopt was not needed: it is not foreign" in change.note


@pytest.mark.parametrize(
    ("path", "payload", "compute", "words"),
    [
        pytest.param(
            "sys/auth/ember-k8s", {"type": "approle"}, mount_changes, "of type 'approle'", id="mount"
        ),
        pytest.param(
            "identity/group/name/vault-admins-emea",
            {"type": "internal"},
            group_changes,
            "with type 'internal'",
            id="internal group",
        ),
    ],
)
def test_what_no_option_can_help_is_foreign_too(
    admin: Vault, pipeline: Vault, path: str, payload: dict[str, Any], compute: Compute, words: str
) -> None:
    admin.write(path, payload)
    with pytest.raises(Conflict, match="is foreign") as refused:
        compute(pipeline, request())
    assert words in str(refused.value)
