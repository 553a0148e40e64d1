"""The sandbox's Vault is real, and is the same for every test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from deployments.sandbox.environment import clean_environment
from deployments.sandbox.ports import is_free
from deployments.sandbox.processes import Supervisor, file_exists
from deployments.sandbox.vault_seed import CORRELATION_HEADER, VaultAdmin
from deployments.sandbox.vault_server import VaultServer, sign_user_jwt


@pytest.fixture
def pipeline(vault: VaultServer) -> VaultAdmin:
    """Vault, as the pipeline's token sees it."""
    return VaultAdmin(vault.address, str(vault.ca_file), vault.pipeline_token)


def make_group(vault: VaultServer, group: str, policy: str) -> None:
    """An external group with its alias on ``oidc/``, as root."""
    vault.request("POST", "identity/group", {"name": group, "type": "external", "policies": [policy]})
    identifier = vault.request("GET", f"identity/group/name/{group}")["data"]["id"]
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    vault.request(
        "POST",
        "identity/group-alias",
        {"name": group, "mount_accessor": accessor, "canonical_id": identifier},
    )


def login(vault: VaultServer, token: str) -> dict[str, object]:
    answer: dict[str, object] = vault.request("POST", "auth/oidc/login", {"role": "users", "jwt": token})[
        "auth"
    ]
    return answer


def test_it_speaks_tls_that_only_its_own_authority_vouches_for(vault: VaultServer) -> None:
    url = f"{vault.address}/v1/sys/health"
    assert requests.get(url, verify=str(vault.ca_file), timeout=5).json()["sealed"] is False
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=5)


def test_secrets_are_kept_in_a_versioned_mount(vault: VaultServer) -> None:
    mount = vault.request("GET", "sys/mounts")["data"]["k8s_secrets/"]
    assert (mount["type"], mount["options"]) == ("kv", {"version": "2"})


def test_a_member_of_a_group_gets_the_policy_behind_its_alias(vault: VaultServer) -> None:
    make_group(vault, "vault-admins-emea", "emea-kv-rw")
    member = login(vault, vault.sign_user_jwt(["others", "vault-admins-emea"]))
    assert member["identity_policies"] == ["emea-kv-rw"]
    stranger = login(vault, vault.sign_user_jwt(["others"], user="mallory"))
    assert "identity_policies" not in stranger


def test_a_jwt_of_another_key_does_not_log_in(vault: VaultServer, tmp_path: Path) -> None:
    other = VaultServer(tmp_path / "never-started")
    with pytest.raises(requests.HTTPError, match=r"400 .*error validating token"):
        login(vault, sign_user_jwt(other.user_key_pem, ["vault-admins-emea"]))


def test_an_expired_jwt_does_not_log_in(vault: VaultServer) -> None:
    with pytest.raises(requests.HTTPError, match="expired"):
        login(vault, sign_user_jwt(vault.user_key_pem, [], lifetime=-600))


def test_the_pipelines_token_may_do_what_was_handed_in_and_nothing_else(pipeline: VaultAdmin) -> None:
    assert pipeline.request("GET", "auth/token/lookup-self")["data"]["policies"] == ["enablement-pipeline"]
    assert "oidc/" in pipeline.request("GET", "sys/auth")["data"]
    # What the policy `default` would allow.
    with pytest.raises(requests.HTTPError, match="403"):
        pipeline.request("PUT", "cubbyhole/mine", {"a": "b"})


def test_the_audit_log_tells_the_correlation_id_of_a_request(vault: VaultServer) -> None:
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


def test_no_token_stands_in_the_audit_log(vault: VaultServer) -> None:
    login(vault, vault.sign_user_jwt([]))
    log = vault.audit_log.read_text()
    assert vault.root_token not in log
    assert vault.pipeline_token not in log


def test_a_reset_removes_what_a_test_made(vault: VaultServer) -> None:
    make_group(vault, "vault-admins-emea", "emea-kv-rw")
    login(vault, vault.sign_user_jwt(["vault-admins-emea"]))
    vault.request("PUT", "sys/policies/acl/emea-kv-rw", {"policy": 'path "x" { capabilities = ["read"] }'})
    vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    vault.request("POST", "sys/mounts/other", {"type": "kv"})
    vault.request("POST", "k8s_secrets/data/emea/ember/database", {"data": {"password": "x"}})
    vault.request(
        "POST", "auth/oidc/role/other", {"role_type": "jwt", "user_claim": "sub", "bound_subject": "x"}
    )
    vault.request("POST", "sys/namespaces/team", {})
    vault.reset()
    assert vault.request("LIST", "identity/group/id") == {}
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


def test_as_a_process_it_tells_its_address_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ready = state / "ready.json"
    policy = tmp_path / "policy.hcl"
    policy.write_text('path "sys/auth" { capabilities = ["read"] }')
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start(
            "vault",
            [
                sys.executable,
                "-m",
                "deployments.sandbox.vault_server",
                "--state-dir",
                str(state),
                "--port",
                "0",
                "--pipeline-policy",
                str(policy),
            ],
            environment=clean_environment(tmp_path / "home"),
            ready=file_exists(ready),
        )
        document = json.loads(ready.read_text())
        token = Path(document["pipeline_token_file"]).read_text()
        admin = VaultAdmin(document["address"], document["ca_file"], token)
        assert "oidc/" in admin.request("GET", "sys/auth")["data"]
        for name in ("root-token", "unseal-key", "pipeline-token", "user-signing-key.pem", "server.key"):
            assert (state / name).stat().st_mode & 0o777 == 0o600
        assert Path(document["root_token_file"]).read_text() not in ready.read_text()
        family = child.tree()
    assert not psutil.wait_procs(family, timeout=0)[1]
    assert is_free(int(document["address"].rpartition(":")[2]))


def test_a_port_that_is_taken_is_not_fought_over(vault: VaultServer, tmp_path: Path) -> None:
    assert VaultServer(tmp_path, port=vault.port).port != vault.port


def test_the_help_says_what_it_is(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "deployments.sandbox.vault_server", "--help"],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--state-dir" in answer.stdout
