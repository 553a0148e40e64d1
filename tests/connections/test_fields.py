"""The fields of the connections: what is refused when one is made, checked from its file, or loaded."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.blocks.core import Block
from pydantic import ValidationError

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from deployments.connection_file import ConnectionFileError, read_connections
from runbook.errors import InvalidInput
from sandbox.certificates import CertificateAuthority
from sandbox.prefect_server import PrefectServer
from tasks import connect
from tests.systems.openshift.scripted_api import kubeconfig as kubeconfig_of
from tests.tasks.conftest import request

AUTHORITY = CertificateAuthority("of connections")
CA, KEY = AUTHORITY.pem, AUTHORITY.issue("somebody").key_pem
SECRET = "hunter2"
SECRETS = (SECRET, KEY.splitlines()[1])

VAULT: dict[str, Any] = {"address": "https://vault.example.com:8200", "token": "hvs.x"}
APPROLE: dict[str, Any] = {
    "address": "https://vault.example.com:8200",
    "approle_role_id": "r",
    "approle_secret_id": "s",
}
GITOPS: dict[str, Any] = {
    "url": "https://github.com/example/apps.git",
    "repository": "example/apps",
    "token": "ghp_x",
}
SERVER = "https://api.ember.example.com:6443"


def kubeconfig(server: str = SERVER, token: str = SECRET, authority: str = CA) -> str:
    return yaml.safe_dump(kubeconfig_of(server, authority, token))


CLUSTER: dict[str, Any] = {"kubeconfig": kubeconfig()}

ADDRESS = f"https://svc:{SECRET}@host.example.com"
BLANK = f" {SECRET}"
REFUSED: list[tuple[type[Block], dict[str, Any], str, str, str]] = [
    *(
        (block, base, field, value, says)
        for block, base, field in (
            (VaultConnection, VAULT, "address"),
            (VaultConnection, VAULT, "address_for_clusters"),
            (GitOpsRepository, GITOPS, "url"),
            (GitOpsRepository, GITOPS, "api_url"),
            (ClusterConnection, CLUSTER, "host_for_vault"),
        )
        for value, says in (
            (ADDRESS, "carries a user name or password"),
            (f"{SECRET}:6443", "is not https://"),
            ("http://host.example.com", "is "),
            (f"https://host.example.com\n{SECRET}", "has a blank, a line end"),
        )
    ),
    *(
        (block, base, field, KEY + CA, "holds a private key")
        for block, base, field in (
            (VaultConnection, VAULT, "ca_cert"),
            (VaultConnection, VAULT, "ca_cert_for_clusters"),
            (GitOpsRepository, GITOPS, "ca_cert"),
            (ClusterConnection, CLUSTER, "ca_cert_for_vault"),
        )
    ),
    *(
        (block, base, field, BLANK, "is empty, or has a blank, a line end")
        for block, base, field in (
            (VaultConnection, VAULT, "token"),
            (VaultConnection, VAULT, "namespace"),
            (VaultConnection, APPROLE, "approle_role_id"),
            (VaultConnection, APPROLE, "approle_secret_id"),
            (VaultConnection, APPROLE, "approle_mount"),
            (GitOpsRepository, GITOPS, "token"),
        )
    ),
    (GitOpsRepository, GITOPS, "author_name", "Vault\nauthor Somebody <a@b.c> 0 +0000", "is empty, or has a"),
    (GitOpsRepository, GITOPS, "author_email", "a@b.c> 0 +0000\x1b", "is empty, or has a line end"),
]


def said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize(("block", "base", "field", "value", "says"), REFUSED)
def test_a_connection_and_the_check_of_its_file_name_the_field_and_show_no_value(
    block: type[Block], base: dict[str, Any], field: str, value: str, says: str, tmp_path: Path
) -> None:
    given = {**base, field: value}
    with pytest.raises(ValidationError) as refused:
        block(**given)
    references = {name: {"env": name.upper()} for name in given if name != "repository"}
    section = {VaultConnection: "vault", GitOpsRepository: "gitops"}.get(block)
    document = {section: given | references} if section else {"clusters": {"ember": given | references}}
    file = tmp_path / "connections.yaml"
    file.write_text(yaml.safe_dump(document))
    # A reference's own blanks are cut off, so one stands within.
    environ = {name.upper(): text.replace(BLANK, f"a {SECRET}") for name, text in given.items()}
    with pytest.raises(ConnectionFileError) as caught:
        read_connections(file, environ)
    for error in (refused.value, caught.value):
        assert f"{field} of the {block.__name__} {says}" in str(error)
        assert not any(secret in said(error) for secret in SECRETS)


def test_a_connection_that_was_saved_before_it_was_checked_is_refused_when_it_is_loaded(
    prefect_harness: PrefectServer,
) -> None:
    run = request(vault=f"vault-{uuid4().hex[:8]}")
    stored = VaultConnection(**VAULT)
    stored.address_for_clusters, stored.ca_cert = ADDRESS, KEY + CA
    stored.save(run.vault)
    with pytest.raises(InvalidInput) as caught:
        connect.vault_connection(run)
    assert "the ca_cert of the VaultConnection holds a private key" in str(caught.value)
    assert "the address_for_clusters of the VaultConnection carries a user name" in str(caught.value)
    # pydantic's errors hold the values, whatever they print.
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert not any(secret in said(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (kubeconfig(server=ADDRESS), "carries a user name or password"),
        (kubeconfig(token=f"a {SECRET}"), "is empty, or has a blank, a line end"),
        (kubeconfig(authority=KEY + CA), "holds a private key"),
        (f"token: {SECRET}", "kubeconfig"),
        (f"token: [{SECRET}", "kubeconfig of the ClusterConnection"),
        (
            f"clusters: []\nusers: [{{name: a, user: {{token: {SECRET}}}}}]\ncontexts: []\n"
            "current-context: here",
            "kubeconfig",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_makes_no_connection_and_is_not_shown(given: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClusterConnection(kubeconfig=given)
    assert says in str(caught.value)
    assert not any(secret in said(caught.value) for secret in SECRETS)
    with pytest.raises(ValidationError, match="context"):
        ClusterConnection(**CLUSTER, context="another")


def test_certificates_are_kept_without_what_is_around_them() -> None:
    made = VaultConnection(
        **VAULT, ca_cert=f"# F\u0151tan\u00fas\u00edtv\u00e1ny\n{CA}", ca_cert_for_clusters=""
    )
    assert made.ca_cert == CA.strip()
    assert made.ca_for_clusters is None
