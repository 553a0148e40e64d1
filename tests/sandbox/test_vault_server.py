"""The sandbox's Vault is real, and is the same for every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.vault_seed import CORRELATION_HEADER, VaultAdmin
from sandbox.vault_server import VaultServer
from tests.sandbox.conftest import MakeGroup


@pytest.fixture
def pipeline(vault: VaultServer) -> VaultAdmin:
    """Vault, as the pipeline's token sees it."""
    return VaultAdmin(vault.address, str(vault.ca_file), vault.pipeline_token)


def login(vault: VaultServer, token: str) -> Any:
    return vault.request("POST", "auth/oidc/login", {"role": "users", "jwt": token})["auth"]


def test_it_speaks_tls_that_only_its_own_authority_vouches_for(vault: VaultServer) -> None:
    url = f"{vault.address}/v1/sys/health"
    assert requests.get(url, verify=str(vault.ca_file), timeout=5).json()["sealed"] is False
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=5)


def test_a_jwt_of_another_key_or_an_expired_one_does_not_log_in(vault: VaultServer, tmp_path: Path) -> None:
    other = VaultServer(tmp_path / "never-started")
    with pytest.raises(requests.HTTPError, match=r"400 .*error validating token"):
        login(vault, other.sign_user_jwt([]))
    with pytest.raises(requests.HTTPError, match="expired"):
        login(vault, vault.sign_user_jwt([], lifetime=-600))


def test_the_pipelines_token_may_do_what_was_handed_in_and_nothing_else(pipeline: VaultAdmin) -> None:
    assert pipeline.request("GET", "auth/token/lookup-self")["data"]["policies"] == ["enablement-pipeline"]
    assert "oidc/" in pipeline.request("GET", "sys/auth")["data"]
    # What the policy `default` would allow.
    with pytest.raises(requests.HTTPError, match="403"):
        pipeline.request("PUT", "cubbyhole/mine", {"a": "b"})


def test_the_audit_log_tells_the_correlation_id_of_a_request_and_no_token(vault: VaultServer) -> None:
    position = vault.audit_position()
    requests.get(
        f"{vault.address}/v1/sys/auth",
        headers={"X-Vault-Token": vault.pipeline_token, CORRELATION_HEADER: "run-4711"},
        verify=str(vault.ca_file),
        timeout=5,
    )
    entries = [e for e in vault.audit_entries(position) if e["request"]["path"] == "sys/auth"]
    assert [e["type"] for e in entries] == ["request", "response"]
    assert entries[0]["request"]["headers"] == {CORRELATION_HEADER.lower(): ["run-4711"]}
    log = vault.audit_log.read_text()
    assert vault.root_token not in log
    assert vault.pipeline_token not in log


def test_a_reset_removes_what_a_test_made(vault: VaultServer, group_with_alias: MakeGroup) -> None:
    group_with_alias("people", "emea-kv-rw")
    login(vault, vault.sign_user_jwt(["people"]))
    vault.request("PUT", "sys/policies/acl/emea-kv-rw", {"policy": 'path "x" { capabilities = ["read"] }'})
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    vault.request("POST", "sys/mounts/other", {"type": "kv"})
    vault.request("POST", "k8s_secrets/data/emea/ember/database", {"data": {"password": "x"}})
    vault.request(
        "POST", "auth/oidc/role/other", {"role_type": "jwt", "user_claim": "sub", "bound_subject": "x"}
    )
    vault.request("POST", "sys/namespaces/team", {})
    vault.reset()
    # Made anew, before the policy that pins its id.
    assert vault.request("LIST", "identity/group/name")["data"]["keys"] == ["vault-admins-emea"]
    assert vault.request("LIST", "identity/group-alias/id") == {}
    assert vault.request("LIST", "identity/entity/id") == {}
    assert vault.request("LIST", "sys/namespaces") == {}
    assert set(vault.request("GET", "sys/auth")["data"]) == {"token/", "oidc/"}
    assert set(vault.request("GET", "sys/mounts")["data"]) == {
        "cubbyhole/",
        "identity/",
        "k8s_secrets/",
        "sys/",
    }
    assert vault.request("LIST", "k8s_secrets/metadata") == {}
    assert vault.request("LIST", "auth/oidc/role")["data"]["keys"] == ["users"]
    policies = vault.request("LIST", "sys/policies/acl")["data"]["keys"]
    assert set(policies) == {"default", "root", "enablement-pipeline"}


def test_a_reset_repairs_what_a_test_broke(vault: VaultServer) -> None:
    vault.request("DELETE", "sys/auth/oidc")
    vault.request("DELETE", "sys/mounts/k8s_secrets")
    vault.request("POST", "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "1"}})
    vault.request(
        "PUT", "sys/policies/acl/enablement-pipeline", {"policy": 'path "x" { capabilities = ["deny"] }'}
    )
    vault.request("POST", "auth/token/revoke", {"token": vault.pipeline_token})
    vault.seal()
    vault.reset()
    assert vault.request("GET", "sys/mounts")["data"]["k8s_secrets/"]["options"] == {"version": "2"}
    assert login(vault, vault.sign_user_jwt([]))["token_type"] == "service"
    pipeline = VaultAdmin(vault.address, str(vault.ca_file), vault.pipeline_token)
    assert "oidc/" in pipeline.request("GET", "sys/auth")["data"]


def test_a_port_that_is_taken_is_not_fought_over(vault: VaultServer, tmp_path: Path) -> None:
    assert VaultServer(tmp_path, port=vault.port).port != vault.port
