"""A whole run for an organisation without environments, which leaves people's rights to others.

It has a namespace of Vault, its own rules, and calls its clusters by their hosts' names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import deployments.vault.policy
from bench.traffic import Traffic
from bench.world import Place
from deployments.connection_file import read_conventions
from flows.diagnose_cluster import diagnose_cluster
from sandbox.gitops_agent.options import Folders
from sandbox.prefect_server import PrefectServer
from sandbox.vault_seed import VaultAdmin
from sandbox.vault_server import VaultServer
from tests.flows.elsewhere import described, manifests, printed
from tests.rights import token_with
from tests.run import Run, at_the_gate, enable, land
from tests.tables import rows_of
from tests.world import World

NAMES: dict[str, Any] = {
    "environments": False,
    "cluster_secrets": "{cluster}",
    "environment_secrets": None,
    "auth_mount": "k8s/{cluster}",
    "role": "workloads",
    "policy_scope": "cluster",
    "policies": {
        "environment": None,
        "cluster": "{cluster}-workloads",
        "administrators": "writers",
        "cluster_rules": {"file": "rules.hcl"},
    },
    "administrators": None,
}
RULES = """
# The cluster's own, and what all clusters share.
path "{mount}/data/{path}/*" { capabilities = ["read"] }
path "{mount}/data/shared/*" {
  capabilities = ["read"]
}
"""
OCP = "ocp.example.org"
POLICY = f"sys/policies/acl/{OCP}-workloads"
FLAT = {"emea/ember": f"fleet/{OCP}", "emea/": "fleet/", "moc/": "fleet/"}
TEMPLATES = ("applications", "cluster_overlay", "operator_overlay")
FLAT_FOLDERS = {name: getattr(Folders(), name).replace("{env}", "fleet") for name in Folders.__slots__}


@pytest.fixture
def team(vault: VaultServer) -> VaultAdmin:
    """An administrator of the namespace, who knows a KV mount and no login of people."""
    vault.request("POST", "sys/namespaces/team", {})
    admin = VaultAdmin(vault.address, str(vault.ca_file), vault.root_token, "team")
    admin.request("POST", "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "2"}})
    return admin


@pytest.mark.long
async def test_a_cluster_of_no_environment_is_enabled_and_nobody_is_given_rights(
    prefect_harness: PrefectServer, vault: VaultServer, team: VaultAdmin, tmp_path: Path
) -> None:
    (tmp_path / "rules.hcl").write_text(RULES)
    file = described(tmp_path, NAMES, OCP, vault={"namespace": "team"})
    policy = printed(deployments.vault.policy.main, "--connections", str(file))
    assert "identity/" not in policy
    assert "_accessor" not in policy
    place = Place(manifests(tmp_path / "manifests", FLAT), Folders(**FLAT_FOLDERS), "", OCP)
    with World.at(tmp_path, vault, place) as world:
        world.connect(
            vault__token=token_with(team, policy),
            vault__namespace="team",
            gitops__layout={name: FLAT_FOLDERS[name] for name in TEMPLATES} | {"vault_cluster": "smaug"},
        )
        conventions = world.describe(read_conventions(file))
        run = await at_the_gate(world, conventions=conventions)
        await land(world, run)
        assert await run.go() == "Completed", run.error

        assert (await run.read()).name == f"enable {OCP}"
        (pull,) = world.pulls()
        assert pull["title"] == f"Enable Vault secrets on {OCP}"
        assert pull["head"]["ref"] == f"enable-vault/{OCP}"
        artifacts = await run.artifacts()
        report, preflight = (artifacts[f"{kind}-ocp-example-org"] for kind in ("report", "preflight"))
        assert f"payments/vault-secret-fetcher logs in at k8s/{OCP} with role workloads" in report
        assert "its session may not read k8s_secrets/not-ocp.example.org/: refused (403)" in report
        (row,) = [one for one in rows_of(preflight) if "Vault's auth mounts" in one]
        assert "the conventions leave people's rights alone" in row
        log = await run.logs()
        said = "\n".join([*map(str, artifacts.values()), log, str(pull), str((await run.read()).parameters)])
        for word in ("nvironment", "env=''", f"/{OCP}/{OCP}", "enable-vault//"):
            assert word not in said, word

        groups = team.request("LIST", "identity/group/name")
        assert groups == {}
        policies = set(team.request("LIST", "sys/policies/acl")["data"]["keys"])
        assert policies == {"default", "narrow", f"{OCP}-workloads"}
        written = team.request("GET", POLICY)["data"]["policy"]
        assert written.strip() == RULES.strip().replace("{mount}", "k8s_secrets").replace("{path}", OCP)

        await stays_when_it_says_as_much(world, team, conventions)
        asked = {
            name: world.parameters[name] for name in ("cluster", "namespaces", "vault", "cluster_connection")
        }
        diagnosis = await Run.create(diagnose_cluster, {**asked, "conventions": conventions})
        assert await diagnosis.go() == "Completed", diagnosis.error
        assert (await diagnosis.read()).name == f"diagnose {OCP}"
        assert "policy_scope=cluster" in str((await diagnosis.artifacts())["diagnosis-ocp-example-org"])

        mistaken = await enable(world, conventions=conventions, env="emea")
        assert await mistaken.go() == "Failed"
        assert "env='emea': is given, and the conventions know no environments" in str(mistaken.error)


async def stays_when_it_says_as_much(world: World, team: VaultAdmin, conventions: str) -> None:
    """A policy is compared by what it grants; one that grants more is kept."""
    shared = 'path "k8s_secrets/data/shared/*" { policy = "read" }'
    ours = f'path "/k8s_secrets/data/{OCP}/*" {{\n  capabilities = ["read"MORE]\n}}'
    for more, note in (("", ""), (', "list"', "grants more than the runbook's rules; kept as it is")):
        text = "\n".join([shared, ours.replace("MORE", more)])
        team.request("PUT", POLICY, {"policy": text})
        traffic = Traffic(world)
        again = await enable(world, conventions=conventions)
        assert await again.go() == "Completed", again.error
        assert traffic.writes() == []
        assert note in str((await again.artifacts())["report-ocp-example-org"])
        assert team.request("GET", POLICY)["data"]["policy"] == text
