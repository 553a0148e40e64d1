"""Preflight names each path and each capability that a token lacks of the printed policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from change.table import Table
from connections import VaultConnection
from deployments.vault.hcl import policy_text
from runbook.objects.vault_object import VaultRule
from runbook.request import EnableRequest
from runbook.rights import vault_rights, vault_rules
from sandbox.vault_server import VaultServer
from tasks.preflight.vault import CAPABILITIES, TOKEN, ask_vault
from tests.printed_commands import missing
from tests.printed_commands import printed_policy as printed
from tests.rights import policy_of_the_tests, printed_policy, token_with
from tests.tasks.conftest import request as make

REQUEST = make(policy_scope="cluster")
RULES = vault_rules(REQUEST)

# Both tell of our own token, and a token that may not ask them can ask nothing else.
TOLD_BY_PATH_ALONE = {"auth/token/lookup-self", "sys/capabilities-self"}


def reduced() -> Iterator[tuple[str, str]]:
    """Every path with every capability on it, and every path with all of them."""
    for rule in RULES:
        yield rule.path, ""
        if len(rule.capabilities) > 1:
            yield from ((rule.path, capability) for capability in rule.capabilities)


def without(path: str, capability: str) -> list[VaultRule]:
    return [
        replace(rule, capabilities=tuple(one for one in rule.capabilities if one != capability))
        if rule.path == path
        else rule
        for rule in RULES
        if capability or rule.path != path
    ]


def asked(vault: VaultServer, token: str, request: EnableRequest = REQUEST) -> Table:
    """What preflight finds in Vault with this token."""
    connection = VaultConnection.model_validate(
        {"address": vault.address, "ca_cert": vault.ca_pem, "token": token}
    )
    table, _ = ask_vault(connection, request, None)
    return table


def test_the_whole_policy_is_enough(vault: VaultServer) -> None:
    assert asked(vault, token_with(vault, printed_policy(vault, scopes=["cluster"]))).errors == {}


@pytest.mark.parametrize(("path", "capability"), reduced())
def test_what_is_taken_from_the_policy_is_named(vault: VaultServer, path: str, capability: str) -> None:
    table = asked(vault, token_with(vault, policy_text(without(path, capability), "")))
    (error,) = (table.errors[name] for name in (TOKEN, CAPABILITIES) if name in table.errors)
    said = f"{error.subject}: {error.answer}"
    if path in TOLD_BY_PATH_ALONE:
        assert path in said
    else:
        whole = ", ".join(sorted(vault_rights(REQUEST)[path]))
        assert f"lacks {capability or whole} on {path}" in said
    assert missing(printed(error.remedy), REQUEST) == []


def test_every_pinned_path_is_among_those_that_preflight_asks_for() -> None:
    assert set(vault_rights(REQUEST)) == {rule.path for rule in RULES}


def test_vault_does_not_tell_of_pinned_values_before_a_write(vault: VaultServer) -> None:
    # Why preflight goes by what the policy should be: a pin that no write of ours fits looks like none.
    pinned = policy_of_the_tests(vault).replace('"type" = ["kubernetes"]', '"type" = ["userpass"]')
    assert asked(vault, token_with(vault, pinned)).errors == {}


@pytest.fixture
def shared_group(vault: VaultServer) -> dict[str, object]:
    """The administrators' group, used by somebody else too."""
    group: dict[str, object] = {
        "type": "external",
        "policies": ["audit-readers"],
        "metadata": {"team": "storage"},
    }
    vault.request("POST", "identity/group/name/vault-admins-emea", group)
    return group


def test_a_group_that_others_use_becomes_the_command_for_an_administrator_which_leaves_nothing_to_write(
    vault: VaultServer, shared_group: dict[str, object], vault_command: Callable[[str], str]
) -> None:
    (error,) = asked(vault, vault.pipeline_token).errors.values()
    lacking = "our token may not write identity/group/name/vault-admins-emea, which is different"
    assert lacking in str(error)
    words = "vault write identity/group/name/vault-admins-emea policies=audit-readers policies=emea-kv-rw"
    assert f"`{words} 'metadata=responsibility=Vault emea Admin' metadata=team=storage`" in error.remedy
    vault_command(error.remedy.split("`")[1])
    group = vault.request("GET", "identity/group/name/vault-admins-emea")["data"]
    assert sorted(group["policies"]) == ["audit-readers", "emea-kv-rw"]
    assert group["metadata"] == {"responsibility": "Vault emea Admin", "team": "storage"}
    assert asked(vault, vault.pipeline_token).errors == {}


def test_what_an_administrator_has_to_make_first_is_named_with_its_commands(
    vault: VaultServer, vault_command: Callable[[str], str]
) -> None:
    vault.request("DELETE", "identity/group/name/vault-admins-emea")
    (error,) = asked(vault, vault.pipeline_token).errors.values()
    assert "our token may not write identity/group/name/vault-admins-emea, which is absent" in error.answer
    for command in error.remedy.split("`")[1::2]:
        vault_command(command)
    group = vault.request("GET", "identity/group/name/vault-admins-emea")["data"]
    assert (group["type"], group["policies"], group["alias"]["name"]) == (
        "external",
        ["emea-kv-rw"],
        "vault-admins-emea",
    )
    assert asked(vault, vault.pipeline_token).errors == {}


def test_a_token_that_may_write_the_group_unites_by_itself(
    vault: VaultServer, shared_group: dict[str, object]
) -> None:
    assert asked(vault, vault.root_token).errors == {}
