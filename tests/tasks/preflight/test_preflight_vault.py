"""What preflight says of a Vault that is not as it has to be. The Vault is a real one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connections import VaultConnection
from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from runbook.hosts import ApiServer
from sandbox.vault_server import VaultServer
from tasks.preflight import vault as rows
from tests.printed_commands import missing, printed_policy
from tests.rights import policy_of_the_tests, token_with
from tests.tables import table
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import (
    ANOTHER_CA,
    NOBODY_LISTENS,
    Installation,
    Wrong,
    failed,
    refused,
    row,
    the_error,
)

GROUP = "Group vault-admins-emea is free or ours"
ALIAS = "Alias vault-admins-emea is free or ours"
MOUNT = "auth/ember-k8s/ is free or of type kubernetes"
CONFIG = "auth/ember-k8s/config is free or ours"
ROLE = "auth/ember-k8s/role/emea-ops is free or ours"


def no_such_approle(there: Installation) -> dict[str, Any]:
    there.vault.request("POST", "sys/auth/approle", {"type": "approle"})
    secret_id = "c0ffee00-0000-4000-8000-000000000000"
    there.secrets.append(secret_id)
    return {"vault__token": None, "vault__approle_role_id": "nobody", "vault__approle_secret_id": secret_id}


def replaced(kind: str, name: str, body: dict[str, Any] | None) -> Callable[[Installation], None]:
    """Something of Vault that is deleted and, if a body is given, made otherwise."""

    def replace(there: Installation) -> None:
        there.vault.request("DELETE", f"{kind}/{name}")
        if body:
            there.vault.request("POST", f"{kind}/{name}", body)

    return replace


MOUNTS: dict[str, dict[str, Any] | None] = {
    "is version 1 of kv, not version 2": {"type": "kv", "options": {"version": "1"}},
    "is of type transit, not version 2 of kv": {"type": "transit"},
    "is not there": None,
}
WRONG = {
    "a wrong token": Wrong(
        lambda there: {"vault__token": "hvs.nobody-has-this"},
        [rows.TOKEN],
        AccessDenied,
        ("our token: is not accepted at auth/token/lookup-self (may not read: 403", "VaultConnection"),
        {rows.REACHABLE: "ok", rows.UNSEALED: "ok", rows.SECRETS.format("k8s_secrets"): "not checked"},
    ),
    "a refused login, which is no wrong address": Wrong(
        no_such_approle, [rows.TOKEN], AccessDenied, ("auth/approle/login: refused our login: 400",)
    ),
    "nobody listens": Wrong(
        lambda there: {"vault__address": NOBODY_LISTENS},
        [rows.REACHABLE],
        Unreachable,
        (f"Vault, {NOBODY_LISTENS}: no answer",),
    ),
    "sealed": Wrong(lambda there: there.vault.seal(), [rows.UNSEALED], Busy, ("is sealed", "unseal")),
    "a CA that did not sign the certificate": Wrong(
        lambda there: {"vault__ca_cert": ANOTHER_CA},
        [rows.REACHABLE],
        CertificateNotTrusted,
        ("certificate verify failed", "ca_cert of the VaultConnection"),
    ),
    "what answers is no Vault": Wrong(
        lambda there: {"vault__address": there.kubernetes.url, "vault__ca_cert": there.kubernetes.ca_pem},
        [rows.REACHABLE],
        UnexpectedAnswer,
    ),
    "plain HTTP to a Vault with TLS": Wrong(
        lambda there: {"vault__address": there.vault.address.replace("https", "http")},
        [rows.REACHABLE],
        UnexpectedAnswer,
    ),
    **{
        f"secrets: {seen}": Wrong(
            replaced("sys/mounts", "k8s_secrets", mount),
            [rows.SECRETS.format("k8s_secrets")],
            PrerequisiteMissing,
            (f"Vault, k8s_secrets/: {seen}",),
        )
        for seen, mount in MOUNTS.items()
    },
    "no oidc, so that the alias has nowhere to live": Wrong(
        replaced("sys/auth", "oidc", None),
        [rows.PEOPLE.format("oidc")],
        PrerequisiteMissing,
        ("Vault, auth/oidc/: is not enabled",),
        {ALIAS: "not checked"},
    ),
    "a mount of another type": Wrong(
        replaced("sys/auth", "ember-k8s", {"type": "userpass"}),
        [MOUNT],
        Conflict,
        ("auth/ember-k8s: is foreign: is an auth method of type 'userpass'",),
        {CONFIG: "not checked", ROLE: "not checked"},
    ),
    "a group of Vault's own kind": Wrong(
        replaced("identity/group/name", "vault-admins-emea", {"type": "internal"}),
        [GROUP],
        Conflict,
        ("type 'internal'",),
    ),
}


@table("wrong", WRONG)
def test_what_is_wrong_is_said(installation: Installation, wrong: Wrong) -> None:
    wrong.check(installation, "vault")


def test_a_token_that_ends_within_hours_is_a_warning(installation: Installation) -> None:
    token = token_with(installation.vault, policy_of_the_tests(installation.vault), ttl="90m")
    found = installation.ask("vault", vault__token=token)
    assert failed(found) == []
    assert row(found, rows.TOKEN).status == "warning"
    assert re.search(r"it expires in (89|90) minutes", row(found, rows.TOKEN).found)


def test_rights_that_the_token_lacks_are_named_path_by_path_and_once(installation: Installation) -> None:
    policy = policy_of_the_tests(installation.vault)
    for path in ("identity/group/name/vault-admins-emea", "sys/auth/ember-k8s", "sys/mounts"):
        assert f'path "{path}"' in policy
        policy = policy.replace(f'path "{path}"', f'path "unused/{path}"')
    found = installation.ask("vault", vault__token=token_with(installation.vault, policy))
    error = refused(found, [rows.CAPABILITIES], AccessDenied)
    assert "read on identity/group/name/vault-admins-emea" in error.answer
    assert "create, sudo, update on sys/auth/ember-k8s" in error.answer
    assert "read on sys/mounts" in error.answer
    assert missing(printed_policy(error.remedy), make()) == []
    # What the same gap hides is no failure of its own; what it does not hide is still said.
    assert row(found, rows.SECRETS.format("k8s_secrets")).status == row(found, GROUP).status == "not checked"
    assert rows.CAPABILITIES in row(found, rows.SECRETS.format("k8s_secrets")).found
    assert (
        row(found, rows.PEOPLE.format("oidc")).status
        == row(found, "Policies are free or as wanted").status
        == "ok"
    )


def test_an_alias_that_our_token_may_not_move_becomes_a_command_for_an_administrator(
    installation: Installation,
) -> None:
    accessor = installation.vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    orphaned = {"name": "vault-admins-emea", "mount_accessor": accessor}
    identifier = installation.vault.request("POST", "identity/group-alias", orphaned)["data"]["id"]
    found = installation.ask("vault")
    assert failed(found) == [rows.PINS]
    assert f"may not write identity/group-alias/id/{identifier}" in row(found, rows.PINS).found
    remedy = row(found, rows.PINS).remedy
    assert "--allow move-alias" in remedy
    assert f"`vault write identity/group-alias/id/{identifier} name=vault-admins-emea " in remedy
    token = token_with(installation.vault, policy_of_the_tests(installation.vault, ["move-alias"]))
    assert failed(installation.ask("vault", vault__token=token)) == []


def test_an_oidc_mount_of_another_type_is_a_warning(installation: Installation) -> None:
    installation.vault.request("DELETE", "sys/auth/oidc")
    installation.vault.request("POST", "sys/auth/oidc", {"type": "userpass"})
    # The policy of before pins the accessor of the mount that is gone.
    found = installation.ask("vault")
    assert failed(found) == [ALIAS]
    token = token_with(installation.vault, policy_of_the_tests(installation.vault))
    found = installation.ask("vault", vault__token=token)
    assert failed(found) == []
    assert row(found, rows.PEOPLE.format("oidc")).status == "warning"
    assert "userpass" in row(found, rows.PEOPLE.format("oidc")).found


def test_everything_of_others_that_is_in_the_way_is_named_at_once(installation: Installation) -> None:
    vault = installation.vault
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    vault.request(
        "PUT", "sys/policies/acl/emea-kv-r", {"policy": 'path "other/*" { capabilities = ["read"] }'}
    )
    vault.request("POST", "identity/group/name/theirs", {"type": "external", "policies": ["default"]})
    theirs = vault.request("GET", "identity/group/name/theirs")["data"]["id"]
    alias = {"name": "vault-admins-emea", "mount_accessor": accessor, "canonical_id": theirs}
    vault.request("POST", "identity/group-alias", alias)
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    role = {
        "bound_service_account_names": "billing",
        "bound_service_account_namespaces": "billing",
        "token_policies": "billing",
    }
    vault.request("POST", "auth/ember-k8s/role/emea-ops", role)
    vault.request("DELETE", "sys/mounts/k8s_secrets")
    found = installation.ask("vault")
    assert failed(found) == [
        rows.SECRETS.format("k8s_secrets"),
        "Policies are free or as wanted",
        ALIAS,
        ROLE,
    ]
    error = the_error(found)
    assert isinstance(error, PrerequisiteMissing)
    assert "Also not met (3): Vault, policy/emea-kv-r" in str(error)
    for words in (
        "k8s_secrets/",
        "emea-kv-r",
        "belongs to the group 'theirs'",
        "hands out the policies billing",
    ):
        assert words in str(error)


def test_an_adopted_field_that_our_policy_may_not_write_becomes_a_command_for_an_administrator(
    vault: VaultServer,
) -> None:
    path = "auth/ember-k8s/config"
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    config = {"kubernetes_host": "https://a", "kubernetes_ca_cert": "old", "issuer": "https://i"}
    vault.request("POST", path, {**config, "disable_local_ca_jwt": True})
    connection = VaultConnection.model_validate(
        {"address": vault.address, "ca_cert": vault.ca_pem, "token": vault.pipeline_token}
    )
    table, _ = rows.ask_vault(connection, make(adopt=[path]), ApiServer("https://a", vault.ca_pem))
    (error,) = table.errors.values()
    assert f"{path}: issuer would be written together with values of others" in str(error)
    assert (
        "get secret eso-vault-auth-token -o jsonpath='{.data.token}' | base64 -d | vault write"
        in error.remedy
    )
    assert "issuer=https://i kubernetes_host=https://a kubernetes_ca_cert=@ca.pem" in error.remedy
