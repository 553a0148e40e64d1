"""What somebody else made, on a real Vault: how each object is classed, and what the options do with it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runbook.changes import Change, pending
from runbook.conventions import Conventions
from runbook.errors import Conflict, InvalidInput, MadeMeanwhile
from runbook.hosts import ApiServer
from runbook.request import EnableRequest
from sandbox.vault_server import VaultServer
from systems.vault import Vault
from tests.rights import policy_of_the_tests, token_with
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
from tests.tables import table
from tests.tasks.conftest import client, request
from tests.tasks.enabled import CONFIG, ROLE
from tests.tasks.identities import group_of, other_group, owner, write_alias

ALIAS = "group-alias/vault-admins-emea"
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


STEPS = (realize_policies, realize_group, realize_mount, realize_role)


def everything(vault: Vault, wanted: EnableRequest) -> list[Change]:
    return [
        change
        for compute in (policy_changes, group_changes, alias_changes, mount_changes, role_changes)
        for change in compute(vault, wanted)
    ]


def test_objects_are_absent_before_a_run_and_the_same_after_it(pipeline: Vault) -> None:
    # The group an administrator has made; its id stands in our policy.
    compute = (policy_changes, alias_changes, mount_changes)
    before = [change for part in compute for change in part(pipeline, request())]
    assert set(found(before).values()) == {"absent"}
    for realize in STEPS:
        realize(pipeline, request())
    assert set(found(everything(pipeline, request())).values()) == {"same"}


def test_what_has_more_than_ours_is_classed_so_and_stays(
    vault: VaultServer, admin: Vault, pipeline: Vault
) -> None:
    for realize in STEPS:
        realize(pipeline, request())
    text = f'{pipeline.policy("emea-kv-r")}\npath "sys/health" {{ capabilities = ["read"] }}'
    admin.write("sys/policies/acl/emea-kv-r", {"policy": text})
    admin.write("identity/group/name/vault-admins-emea", {"policies": ["emea-kv-rw", "audit-readers"]})
    admin.write(ROLE, {"bound_service_account_names": ["vault-secret-fetcher", "argocd"]})
    with writes_nothing(vault):
        changes = everything(pipeline, request())
        assert pending(changes) == ()
    more = {name for name, word in found(changes).items() if word == "same or more"}
    assert more == {"policy/emea-kv-r", "group/vault-admins-emea", ROLE}
    assert "also bound: argocd; kept" in "\n".join(map(str, changes))


def test_what_lacks_a_part_of_ours_is_different_and_shows_before_and_after(
    admin: Vault, pipeline: Vault
) -> None:
    for realize in (realize_group, realize_mount, realize_role):
        realize(pipeline, request())
    admin.write("identity/group/name/vault-admins-emea", {"policies": ["audit-readers"]})
    admin.write(ROLE, {"token_ttl": "2h"})
    (group,) = group_changes(pipeline, request())
    (role,) = role_changes(pipeline, request())
    assert (group.found, role.found) == ("different", "different")
    assert [(part.field, part.before, part.after) for part in role.differences] == [("token_ttl", 7200, 3600)]
    assert group.payload == {"policies": ["audit-readers", "emea-kv-rw"]}


OUR_CONFIG: dict[str, Any] = {
    "kubernetes_host": "https://a",
    "kubernetes_ca_cert": "x",
    "disable_local_ca_jwt": True,
}


@pytest.mark.parametrize(
    "theirs",
    [{"pem_keys": ["a key"]}, {"issuer": "https://i"}, {"disable_iss_validation": False}, {"new": 1}],
)
def test_any_field_of_others_in_the_config_is_foreign(theirs: dict[str, Any]) -> None:
    ours = OUR_CONFIG | {"token_reviewer_jwt_set": True}
    (name,) = theirs
    with pytest.raises(Conflict, match=f"is foreign: has {name}, which no run of ours sets") as refused:
        request().config.compare_with(ours | theirs, ApiServer("https://a", "x"), login_works=True)
    assert "vault write auth/ember-k8s/config kubernetes_host=https://a" in refused.value.remedy
    adopting = request(adopt=[CONFIG])
    kept = adopting.config.compare_with(ours | theirs, ApiServer("https://a", "x"), login_works=False)
    assert (kept.found, kept.payload[name]) == ("foreign", theirs[name])
    assert "token_reviewer_jwt_set" not in kept.payload
    not_needed = adopting.config.compare_with(ours, ApiServer("https://a", "x"), login_works=True)
    assert (not_needed.found, not_needed.note) == ("same", "adopt was not needed: it is not foreign")


def test_the_config_is_classed() -> None:
    ours = OUR_CONFIG
    defaults = {"disable_iss_validation": True, "issuer": "", "pem_keys": [], "token_reviewer_jwt_set": True}

    def classed(current: dict[str, Any] | None) -> Change:
        return request().config.compare_with(current, ApiServer("https://a", "x"), login_works=True)

    assert classed(None).found == "absent"
    assert classed(ours | defaults).found == "same"
    changed = classed(ours | defaults | {"kubernetes_host": "https://somebody:word@b"})
    assert (changed.found, changed.payload) == ("different", ours)
    assert changed.differences[0].before == "https://b", "the plan is for everybody to read"
    no_token = classed(ours | defaults | {"token_reviewer_jwt_set": False})
    assert [part.field for part in no_token.differences] == ["token_reviewer_jwt"]


@table(
    "held, before",
    {
        "one": ({"token_reviewer_jwt_set": True}, "the token that Vault holds, not shown"),
        "none": ({"token_reviewer_jwt_set": False}, None),
        "a Vault that does not tell": ({}, "not known"),
    },
)
def test_the_reviewers_token_before_is_told_in_words(held: dict[str, Any], before: str | None) -> None:
    change = request().config.compare_with(OUR_CONFIG | held, ApiServer("https://a", "x"), login_works=False)
    assert [(part.field, part.before) for part in change.differences] == [("token_reviewer_jwt", before)]


@table(
    "text, difference",
    {
        "a capability lacks": (OTHER_RULES, "k8s_secrets/data/emea/* lacks list"),
        "it limits parameters": (LIMITED, 'allowed_parameters = { "version" = [] }'),
    },
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
    vault: VaultServer, admin: Vault, pipeline: Vault
) -> None:
    realize_mount(pipeline, request())
    theirs = {
        "bound_service_account_names": ["billing"],
        "bound_service_account_namespaces": ["billing"],
        "token_policies": ["emea-kv-r", "billing"],
        "token_max_ttl": "4h",
    }
    admin.write(ROLE, theirs)
    foreign = pytest.raises(Conflict, match=r"is foreign: hands out the policies billing")
    with writes_nothing(vault), foreign as refused:
        realize_role(pipeline, request())
    assert f"adopt=['{ROLE}']" in refused.value.remedy
    (change,) = realize_role(pipeline, request(adopt=[ROLE]))
    assert (change.found, change.action) == ("foreign", "update")
    written = dict(pipeline.role("ember-k8s", "emea-ops") or {})
    assert (written["token_policies"], written["token_max_ttl"]) == (["emea-kv-r", "billing"], 4 * 3600)
    assert written["bound_service_account_names"] == ["billing", "vault-secret-fetcher"]
    assert written["bound_service_account_namespaces"] == ["billing", "payments", "web"]
    assert "token_policies" not in change.payload
    assert found(role_changes(pipeline, request(adopt=[ROLE]))) == {ROLE: "foreign"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bound_service_account_names", ["*"]),
        ("bound_service_account_names", ["argocd", "**"]),
        ("bound_service_account_names", ["a*", "v*", "*-"]),
        ("bound_service_account_namespaces", ["*"]),
        ("bound_service_account_namespaces", ["web", "**"]),
        ("bound_service_account_namespaces", ["web", "p*", "*y*"]),
        ("bound_service_account_namespace_selector", '{"matchLabels":{}}'),
        ("bound_service_account_namespace_selector", '{"matchLabels":{"team":"storage"}}'),
    ],
)
def test_a_role_that_may_bind_anybodys_service_account_is_foreign_and_said_so_with_adopt(
    vault: VaultServer, admin: Vault, pipeline: Vault, field: str, value: Any
) -> None:
    realize_mount(pipeline, request())
    realize_role(pipeline, request())
    theirs = {
        "bound_service_account_names": ["argocd"],
        "bound_service_account_namespaces": ["argocd", "ci-*"],
    }
    admin.write(ROLE, theirs | {field: value})
    wide = [value] if isinstance(value, str) else [one for one in value if "*" in one]
    answer = f"may let anybody's ServiceAccount log in: {', '.join(f'{field}={one}' for one in wide)}"
    with writes_nothing(vault), pytest.raises(Conflict, match=re.escape(f"is foreign: {answer}")) as refused:
        realize_role(pipeline, request())

    (change,) = realize_role(pipeline, request(adopt=[ROLE]))
    assert change.found == "foreign"
    assert f"adopted as it stands: {answer}" in change.note
    kept = dict(pipeline.role("ember-k8s", "emea-ops") or {})[field]
    assert kept == value if isinstance(value, str) else {*value} <= {*kept}

    # The administrator's command takes out what is too wide, and keeps whom others have named.
    (command,) = re.findall(r"`(vault write [^`]+)`", refused.value.remedy)
    _, _, path, *fields = shlex.split(command)
    admin.write(path, dict(one.split("=", 1) for one in fields))
    (change,) = realize_role(pipeline, request())
    assert change.found == "same or more"
    bound = dict(pipeline.role("ember-k8s", "emea-ops") or {})
    assert not bound.get("bound_service_account_namespace_selector")
    for lists, ours in (("names", ["vault-secret-fetcher"]), ("namespaces", ["payments", "web"])):
        named = (theirs | {field: value})[f"bound_service_account_{lists}"]
        assert {*bound[f"bound_service_account_{lists}"]} == {*ours, *named} - {*wide}


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
    assert owner(admin) == "emea-people"
    assert "move_alias=True" in refused.value.remedy
    assert f"adopt=['{ALIAS}']" in refused.value.remedy

    kept = realize_group(pipeline, request(adopt=[ALIAS]))[-1]
    assert (kept.found, kept.action, owner(admin)) == ("foreign", "none", "emea-people")
    assert "whose members get default" in kept.note

    with client(vault, token_with(vault, policy_of_the_tests(vault, ["move-alias"]))) as mover:
        moved = realize_group(mover, request(move_alias=True))[-1]
    assert (moved.found, moved.action, owner(admin)) == ("foreign", "update", "vault-admins-emea")
    assert "members of the identity provider's group lose 'emea-people'" in moved.note
    assert group_of(admin, "emea-people").policies == ("default",)
    with writes_nothing(vault):
        assert realize_group(pipeline, request(move_alias=True))[-1].found == "same"


def test_a_nameless_group_that_somebody_put_into_a_group_of_theirs_keeps_its_alias(
    vault: VaultServer, admin: Vault
) -> None:
    write_alias(admin, "vault-admins-emea")
    nameless = owner(admin)
    members = [group_of(admin, nameless).id]
    theirs = {"type": "internal", "policies": ["billing"], "member_group_ids": members}
    admin.write("identity/group/name/finance", theirs)
    with pytest.raises(Conflict, match=f"is foreign: belongs to the group '{nameless}'") as refused:
        realize_group(admin, request())
    inherited = f"the policies of the groups {group_of(admin, 'finance').id} that it is in"
    assert f"get {inherited} from it now" in refused.value.remedy
    assert owner(admin) == nameless

    kept = realize_group(admin, request(adopt=[ALIAS]))[-1]
    assert f"whose members get {inherited}" in kept.note
    moved = realize_group(admin, request(move_alias=True))[-1]
    assert (moved.found, owner(admin)) == ("foreign", "vault-admins-emea")
    assert f"lose '{nameless}', which gives them {inherited}" in moved.note


def test_another_alias_of_our_group_stays_with_adopt_and_move_alias_does_not_touch_it(admin: Vault) -> None:
    # As the administrator: a group with somebody's own policy is beyond what the pipeline's token may write.
    other_group(admin, "vault-admins-emea", alias="emea-administrators")
    for wanted in (request(), request(move_alias=True)):
        with pytest.raises(Conflict, match="already has the alias 'emea-administrators'"):
            realize_group(admin, wanted)
    change = realize_group(admin, request(adopt=[ALIAS]))[-1]
    assert (change.found, change.action) == ("foreign", "none")
    assert owner(admin, "emea-administrators") == "vault-admins-emea"
    assert owner(admin) == ""


@table(
    "name, compute",
    {
        "policy": ("policy/emea-kv-r", policy_changes),
        "alias": (ALIAS, alias_changes),
        "role": (ROLE, role_changes),
    },
)
def test_nothing_is_made_in_the_place_of_an_adopted_object_that_is_not_there_and_one_of_ours_is_said_so(
    pipeline: Vault, name: str, compute: Compute
) -> None:
    realize_mount(pipeline, request())
    with pytest.raises(InvalidInput, match="is not in Vault, so it cannot be adopted") as refused:
        compute(pipeline, request(adopt=[name]))
    assert f"adopt={name!r}" in str(refused.value)
    for realize in (realize_policies, realize_group, realize_role):
        realize(pipeline, request())
    change = next(change for change in compute(pipeline, request(adopt=[name])) if change.object == name)
    assert (change.found, change.action) == ("same", "none")
    assert "adopt was not needed: it is not foreign" in change.note


@table(
    "path, payload, realize, words",
    {
        "mount": ("sys/auth/ember-k8s", {"type": "approle"}, realize_mount, "of type 'approle'"),
        "internal group": (
            "identity/group/name/vault-admins-emea",
            {"type": "internal"},
            realize_group,
            "is of type 'internal'",
        ),
    },
)
def test_what_no_option_can_help_is_foreign_too_and_stays(
    vault: VaultServer,
    admin: Vault,
    pipeline: Vault,
    path: str,
    payload: dict[str, Any],
    realize: Compute,
    words: str,
) -> None:
    admin.http.send("delete", path)
    admin.write(path, payload)
    with writes_nothing(vault), pytest.raises(Conflict, match="is foreign") as refused:
        realize(pipeline, request())
    assert words in str(refused.value)


def test_vault_has_no_mount_below_another_and_a_run_says_so_before_it_writes(
    vault: VaultServer, admin: Vault
) -> None:
    described = Conventions.model_validate({"auth_mount": "kubernetes/{cluster}"})
    vault.request("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    with writes_nothing(vault), pytest.raises(Conflict, match="there is auth/kubernetes/, and Vault has no"):
        realize_mount(admin, request(conventions=described))
    with pytest.raises(MadeMeanwhile, match="path is already in use at kubernetes/"):
        admin.write("sys/auth/kubernetes/ember", {"type": "kubernetes"})
