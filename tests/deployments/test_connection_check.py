"""``python -m deployments.connect --check`` asks the systems themselves: Vault, cluster and GitHub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deployments.openshift.account import account_manifests
from deployments.vault.policy import pipeline_policy
from sandbox.cluster_account import ClusterAccount
from tests.rights import EMBER, token_with
from tests.world import World


def line(printed: str, prerequisite: str) -> str:
    (found,) = (
        one for one in printed.split("\n\n", maxsplit=1)[0].splitlines() if f"  {prerequisite}  " in one
    )
    return " ".join(found.split())


def test_where_all_is_well_it_says_so(connections: dict[str, Any], check: Any, world: World) -> None:
    code, printed = check(connections)
    assert code == 0, printed
    assert line(printed, "Vault is reachable").startswith(
        f"ok Vault Vault is reachable {world.vault.address}"
    )
    assert (
        line(printed, "Our rights on the cluster")
        == "ok OpenShift emea/ember Our rights on the cluster 5 rights"
    )
    for row in ("Our token's capabilities", "We may propose a change", "Overlay of emea/ember"):
        assert line(printed, row).startswith("ok")
    assert "failed" not in printed


def test_what_is_wrong_with_each_system_and_with_the_names_is_said_at_once(
    connections: dict[str, Any], check: Any, world: World, tmp_path: Path
) -> None:
    (tmp_path / "vault-token").write_text("s.nobodys")
    (tmp_path / "github-token").write_text(world.github.token_of("read-only"))
    # Another cluster under the kubeconfig of this one, in an environment that would share its mount.
    connections["clusters"]["flint"] = {**connections["clusters"]["ember"]}
    connections["clusters"]["ember"]["env"] = "apac"
    code, printed = check(connections)
    assert code == 1
    for row in ("Vault accepts our token", "We may propose a change", "The connection is flint"):
        assert line(printed, row).startswith("failed"), printed
    assert "no environment 'apac'" in line(printed, "Overlay of apac/ember")
    assert printed.count("Vault is reachable") == 1, "a row of both clusters stands there once"
    assert "GitHub, We may propose a change: Give the token contents and pull requests" in printed
    assert printed.splitlines()[-1].count(" failed") == 1


def test_clusters_that_share_a_name_in_vault_are_a_failure(connections: dict[str, Any], check: Any) -> None:
    first = connections["clusters"]["ember"]
    connections["clusters"] = {"b-c": {**first, "env": "a"}, "c": {**first, "env": "a-b"}}
    code, printed = check(connections)
    assert code == 1
    assert "a/b-c and a-b/c: share the policy a-b-c-kv-r" in line(printed, "Clusters do not share a name")


def test_rights_that_only_read_are_enough_where_no_more_is_wanted(
    connections: dict[str, Any], check: Any, world: World, tmp_path: Path
) -> None:
    accessor = world.vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    policy = pipeline_policy([EMBER], accessor, read_only=True)
    (tmp_path / "vault-token").write_text(token_with(world.vault, policy))
    (tmp_path / "github-token").write_text(world.github.token_of("read-only"))
    manifests = yaml.safe_dump_all(account_manifests(["payments"], read_only=True))
    ClusterAccount(Path(world.kubernetes.admin_kubeconfig), manifests).create()
    code, printed = check(connections, "--read-only")
    assert code == 0, printed
    assert line(printed, "Our token's capabilities").startswith("warning")
    code, printed = check(connections)
    assert code == 1
    assert line(printed, "Our token's capabilities").startswith("failed")
