"""What preflight says of a Vault that is not as it has to be. The Vault is a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from runbook.errors import (
    AccessDenied,
    Busy,
    CertificateNotTrusted,
    Conflict,
    InvalidInput,
    PrerequisiteMissing,
    UnexpectedAnswer,
    Unreachable,
)
from runbook.request import EnableRequest
from tasks.preflight import vault as rows
from tests.rights import policy_of_the_tests, token_with
from tests.tasks.preflight.installation import (
    ANOTHER_CA,
    NOBODY_LISTENS,
    Installation,
    failed,
    row,
    the_error,
)

GROUP = "Group vault-admins-emea is free or ours"
ALIAS = "Alias vault-admins-emea is free or ours"
MOUNT = "auth/ember-k8s/ is free or of type kubernetes"
CONFIG = "auth/ember-k8s/config is free or ours"
ROLE = "auth/ember-k8s/role/emea-ops is free or ours"


def test_a_wrong_token_is_said_to_be_one(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(
        request_for_ember, installation.only("vault", vault__token="hvs.nobody-has-this")
    )
    assert failed(found) == [rows.TOKEN]
    assert row(found, rows.REACHABLE).status == row(found, rows.UNSEALED).status == "ok"
    assert row(found, rows.SECRETS).status == "not checked"
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "our token: is not accepted at auth/token/lookup-self (may not read: 403" in str(error)
    assert "VaultConnection" in error.remedy


def test_a_refused_login_is_no_wrong_address(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("POST", "sys/auth/approle", {"type": "approle"})
    secret_id = "c0ffee00-0000-4000-8000-000000000000"
    connections = installation.only(
        "vault", vault__token=None, vault__approle_role_id="nobody", vault__approle_secret_id=secret_id
    )
    installation.secrets.append(secret_id)
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.TOKEN]
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "auth/approle/login: refused our login: 400" in str(error)


def test_a_token_that_may_not_look_at_itself_is_told_what_it_lacks(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    policy = policy_of_the_tests().replace('path "auth/token/lookup-self"', 'path "unused"')
    token = token_with(installation.vault, policy)
    found = installation.look(request_for_ember, installation.only("vault", vault__token=token))
    assert failed(found) == [rows.TOKEN]
    assert "auth/token/lookup-self" in row(found, rows.TOKEN).found
    assert "deployments.vault.policy" in row(found, rows.TOKEN).remedy


def test_a_token_that_ends_within_hours_is_a_warning(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    token = token_with(installation.vault, policy_of_the_tests(), ttl="90m")
    found = installation.look(request_for_ember, installation.only("vault", vault__token=token))
    assert failed(found) == []
    assert row(found, rows.TOKEN).status == "warning"
    assert re.search(r"it ends in (89|90) minutes", row(found, rows.TOKEN).found)


def test_rights_that_the_token_lacks_are_named_path_by_path_and_once(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    policy = policy_of_the_tests()
    for path in ("identity/group/name/vault-admins-emea", "sys/auth/ember-k8s", "sys/mounts"):
        assert f'path "{path}"' in policy
        policy = policy.replace(f'path "{path}"', f'path "unused/{path}"')
    found = installation.look(
        request_for_ember, installation.only("vault", vault__token=token_with(installation.vault, policy))
    )
    assert failed(found) == [rows.CAPABILITIES]
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "create, read, update on identity/group/name/vault-admins-emea" in error.answer
    assert "create, sudo, update on sys/auth/ember-k8s" in error.answer
    assert "read on sys/mounts" in error.answer
    # What the same gap hides is no failure of its own; what it does not hide is still said.
    assert row(found, rows.SECRETS).status == row(found, GROUP).status == "not checked"
    assert rows.CAPABILITIES in row(found, rows.SECRETS).found
    assert row(found, rows.OIDC).status == row(found, rows.POLICIES).status == "ok"


def test_an_alias_that_our_token_may_not_move_becomes_a_command_for_an_administrator(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    accessor = installation.vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    orphaned = {"name": "vault-admins-emea", "mount_accessor": accessor}
    identifier = installation.vault.request("POST", "identity/group-alias", orphaned)["data"]["id"]
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [rows.CAPABILITIES]
    assert f"update on identity/group-alias/id/{identifier}" in row(found, rows.CAPABILITIES).found
    remedy = row(found, rows.CAPABILITIES).remedy
    assert "--allow move-alias" in remedy
    assert f"`vault delete identity/group-alias/id/{identifier}`" in remedy
    token = token_with(installation.vault, policy_of_the_tests(["move-alias"]))
    assert failed(installation.look(request_for_ember, installation.only("vault", vault__token=token))) == []


def test_an_unreachable_vault_is_worth_another_try(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(request_for_ember, installation.only("vault", vault__address=NOBODY_LISTENS))
    assert failed(found) == [rows.REACHABLE]
    error = the_error(found, request_for_ember)
    assert isinstance(error, Unreachable)
    assert f"Vault, {NOBODY_LISTENS}: no answer" in str(error)


@pytest.fixture
def sealed(installation: Installation) -> Iterator[Installation]:
    installation.vault.seal()
    yield installation
    installation.vault.unseal()


def test_a_sealed_vault_is_worth_another_try(sealed: Installation, request_for_ember: EnableRequest) -> None:
    found = sealed.look(request_for_ember, sealed.only("vault"))
    assert failed(found) == [rows.UNSEALED]
    error = the_error(found, request_for_ember)
    assert isinstance(error, Busy)
    assert "is sealed" in error.answer
    assert "unseal" in error.remedy


def test_a_ca_that_did_not_sign_vaults_certificate_is_named(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(request_for_ember, installation.only("vault", vault__ca_cert=ANOTHER_CA))
    assert failed(found) == [rows.REACHABLE]
    error = the_error(found, request_for_ember)
    assert isinstance(error, CertificateNotTrusted)
    assert "certificate verify failed" in error.answer
    assert "ca_cert of the VaultConnection" in error.remedy


def test_a_ca_that_is_none_is_named(installation: Installation, request_for_ember: EnableRequest) -> None:
    found = installation.look(request_for_ember, installation.only("vault", vault__ca_cert="the CA"))
    error = the_error(found, request_for_ember)
    assert failed(found) == [rows.REACHABLE]
    assert isinstance(error, InvalidInput)
    assert "ca_cert of the VaultConnection: is not a PEM certificate" in str(error)


def test_what_answers_but_is_not_vault_is_said(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    connections = installation.only(
        "vault", vault__address=installation.kubernetes.url, vault__ca_cert=installation.kubernetes.ca_pem
    )
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.REACHABLE]
    assert isinstance(the_error(found, request_for_ember), UnexpectedAnswer)


def test_plain_http_to_a_vault_with_tls_is_said(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    address = installation.vault.address.replace("https", "http")
    found = installation.look(request_for_ember, installation.only("vault", vault__address=address))
    assert failed(found) == [rows.REACHABLE]
    assert isinstance(the_error(found, request_for_ember), UnexpectedAnswer)


@pytest.mark.parametrize(
    ("mount", "seen"),
    [
        ({"type": "kv", "options": {"version": "1"}}, "is version 1 of kv, not version 2"),
        ({"type": "transit"}, "is of type transit, not version 2 of kv"),
        (None, "is not there"),
    ],
)
def test_anything_but_kv_version_2_stops_the_run(
    installation: Installation, request_for_ember: EnableRequest, mount: dict[str, object] | None, seen: str
) -> None:
    installation.vault.request("DELETE", "sys/mounts/k8s_secrets")
    if mount:
        installation.vault.request("POST", "sys/mounts/k8s_secrets", mount)
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [rows.SECRETS]
    error = the_error(found, request_for_ember)
    assert isinstance(error, PrerequisiteMissing)
    assert f"Vault, k8s_secrets/: {seen}" in str(error)


def test_without_oidc_the_alias_has_nowhere_to_live(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("DELETE", "sys/auth/oidc")
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [rows.OIDC]
    assert row(found, ALIAS).status == "not checked"
    error = the_error(found, request_for_ember)
    assert isinstance(error, PrerequisiteMissing)
    assert "Vault, auth/oidc/: is not enabled" in str(error)


def test_an_oidc_mount_of_another_type_is_a_warning(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("DELETE", "sys/auth/oidc")
    installation.vault.request("POST", "sys/auth/oidc", {"type": "userpass"})
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == []
    assert row(found, rows.OIDC).status == "warning"
    assert "userpass" in row(found, rows.OIDC).found


def test_a_mount_of_another_type_is_a_conflict(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("POST", "sys/auth/ember-k8s", {"type": "userpass"})
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [MOUNT]
    assert row(found, CONFIG).status == row(found, ROLE).status == "not checked"
    error = the_error(found, request_for_ember)
    assert isinstance(error, Conflict)
    assert "auth/ember-k8s: is foreign: is an auth method of type 'userpass'" in str(error)


def test_a_group_of_type_internal_is_a_conflict(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("POST", "identity/group/name/vault-admins-emea", {"type": "internal"})
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [GROUP]
    error = the_error(found, request_for_ember)
    assert isinstance(error, Conflict)
    assert "type 'internal'" in error.answer


def test_everything_of_others_that_is_in_the_way_is_named_at_once(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
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
    found = installation.look(request_for_ember, installation.only("vault"))
    assert failed(found) == [rows.SECRETS, rows.POLICIES, ALIAS, ROLE]
    error = the_error(found, request_for_ember)
    assert isinstance(error, PrerequisiteMissing)
    assert error.answer.startswith("4 prerequisites are not met.")
    for words in (
        "k8s_secrets/",
        "emea-kv-r",
        "belongs to the group 'theirs'",
        "hands out the policies billing",
    ):
        assert words in error.answer


@pytest.mark.parametrize("spelled", ["{0}", "{0}/", "127.0.0.1:{1}"])
def test_another_clusters_mount_with_this_api_server_is_a_conflict(
    installation: Installation, request_for_ember: EnableRequest, spelled: str
) -> None:
    url = installation.kubernetes.url
    host = spelled.format(url, url.rsplit(":", 1)[1])
    for mount in ("flint-k8s", "unconfigured-k8s"):
        installation.vault.request("POST", f"sys/auth/{mount}", {"type": "kubernetes"})
    installation.vault.request(
        "POST",
        "auth/flint-k8s/config",
        {"kubernetes_host": host, "kubernetes_ca_cert": "any", "disable_local_ca_jwt": True},
    )
    token = token_with(installation.vault, policy_of_the_tests(["other-mounts"]))
    found = installation.look(request_for_ember, installation.only("vault", "cluster", vault__token=token))
    assert failed(found) == [rows.OTHER_MOUNTS]
    error = the_error(found, request_for_ember)
    assert isinstance(error, Conflict)
    assert f"auth/flint-k8s/config: has the API server {host} already" in str(error)
    assert "the ClusterConnection 'ember'" in error.remedy


def test_mounts_whose_config_we_may_not_read_are_said_not_to_be_checked(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    installation.vault.request("POST", "sys/auth/flint-k8s", {"type": "kubernetes"})
    found = installation.look(request_for_ember, installation.only("vault", "cluster"))
    assert failed(found) == []
    assert row(found, rows.OTHER_MOUNTS).status == "not checked"
    assert "auth/flint-k8s/config" in row(found, rows.OTHER_MOUNTS).found
    assert "--allow other-mounts" in row(found, rows.OTHER_MOUNTS).remedy
