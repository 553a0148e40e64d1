"""What preflight says of the mounts of other clusters. The Vault is a real one."""

from __future__ import annotations

import pytest

from connections import VaultConnection
from runbook.errors import Conflict
from runbook.hosts import ApiServer
from sandbox.vault_server import VaultServer
from tasks.preflight.other_mounts import OTHER_MOUNTS
from tasks.preflight.vault import ask_vault
from tests.printed_commands import missing, printed_policy
from tests.rights import policy_of_the_tests, token_with
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import Installation, failed, refused, row


@pytest.mark.parametrize("spelled", ["{0}", "{0}/", "127.0.0.1:{1}"])
def test_another_clusters_mount_with_this_api_server_is_a_conflict(
    installation: Installation, spelled: str
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
    token = token_with(installation.vault, policy_of_the_tests(installation.vault, ["other-mounts"]))
    found = installation.ask("vault", "cluster", vault__token=token)
    error = refused(found, [OTHER_MOUNTS], Conflict)
    assert f"auth/flint-k8s/config: has the API server {host} already" in str(error)
    assert "the ClusterConnection 'ember'" in error.remedy


def test_another_cluster_behind_the_same_proxy_is_told_apart_by_its_path(vault: VaultServer) -> None:
    proxy = "https://rancher.example.com/k8s/clusters"
    vault.request("POST", "sys/auth/flint-k8s", {"type": "kubernetes"})
    config = {"kubernetes_ca_cert": "any", "disable_local_ca_jwt": True}
    vault.request("POST", "auth/flint-k8s/config", {**config, "kubernetes_host": f"{proxy}/c-m-bbbb"})
    token = token_with(vault, policy_of_the_tests(vault, ["other-mounts"]))
    connection = VaultConnection.model_validate(
        {"address": vault.address, "ca_cert": vault.ca_pem, "token": token}
    )
    for path, status in (("c-m-aaaa", "ok"), ("c-m-bbbb/", "failed")):
        table, _ = ask_vault(connection, make(), ApiServer(f"{proxy}/{path}", vault.ca_pem))
        (found,) = [one for one in table.rows if one.prerequisite == OTHER_MOUNTS]
        assert found.status == status, found


def test_mounts_whose_config_we_may_not_read_are_said_not_to_be_checked(installation: Installation) -> None:
    installation.vault.request("POST", "sys/auth/flint-k8s", {"type": "kubernetes"})
    found = installation.ask("vault", "cluster")
    assert failed(found) == []
    assert row(found, OTHER_MOUNTS).status == "not checked"
    assert "auth/flint-k8s/config" in row(found, OTHER_MOUNTS).found
    policy = printed_policy(row(found, OTHER_MOUNTS).remedy)
    assert 'path "auth/+/config"' in policy
    assert missing(policy, make()) == []
