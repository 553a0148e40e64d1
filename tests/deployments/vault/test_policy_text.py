"""The command that prints the policy of the pipeline's own token, and the text that it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hcl2
import pytest

from deployments.sandbox.environment import CHECKOUT, clean_environment
from deployments.sandbox.vault_server import VaultServer
from deployments.vault.hcl import policy_text
from deployments.vault.policy import pipeline_policy
from runbook.names import Cluster
from runbook.policies import read_policy
from runbook.rights import VaultRule
from tests.rights import EMBER

FLINT = Cluster("emea", "flint")
SMAUG = Cluster("moc", "smaug")


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployments.vault.policy", *arguments],
        cwd=CHECKOUT,
        env=clean_environment(directory),
        capture_output=True,
        text=True,
        check=False,
    )


def paths_of(policy: str) -> list[str]:
    return [json.loads(name) for block in hcl2.loads(policy)["path"] for name in block]


def test_the_command_prints_what_vault_takes_and_how_it_was_made(vault: VaultServer, tmp_path: Path) -> None:
    arguments = ("emea/ember", "moc/smaug", "--policy-scope", "cluster", "--allow", "audit")
    printed = command(tmp_path, *arguments)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == pipeline_policy([EMBER, SMAUG], ["cluster"], ["audit"])
    assert printed.stdout.splitlines()[1] == f"# python -m deployments.vault.policy {' '.join(arguments)}"
    vault.request("PUT", "sys/policies/acl/printed", {"policy": printed.stdout})
    assert vault.request("GET", "sys/policies/acl/printed")["data"]["policy"] == printed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ember"], "'ember' is not <env>/<cluster>"),
        (["emea/Ember"], "cluster='Ember': is not a name"),
        (["emea/a/b"], "cluster='a/b': is not a name"),
        (["emea/ember", "--policy-scope", "all"], "invalid choice: 'all'"),
        ([], "required: ENV/CLUSTER"),
    ],
)
def test_what_is_no_cluster_is_said_and_nothing_is_printed(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    printed = command(tmp_path, *arguments)
    assert printed.returncode == 2
    assert words in printed.stderr
    assert printed.stdout == ""


def test_each_path_stands_there_once_and_alone_clusters_share_what_is_the_environments() -> None:
    policy = pipeline_policy([EMBER, FLINT, SMAUG])
    paths = paths_of(policy)
    assert len(paths) == len(set(paths))
    assert {path for path in paths if "flint" in path} == {
        "sys/auth/flint-k8s",
        "auth/flint-k8s/config",
        "auth/flint-k8s/role/emea-ops",
    }
    assert '"name" = ["vault-admins-emea", "vault-admins-moc"]' in policy
    assert policy == pipeline_policy([EMBER, FLINT, SMAUG])


def test_every_rule_says_why_it_is_there() -> None:
    lines = pipeline_policy([EMBER]).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("path ")]
    assert len(rules) > 10
    assert all(lines[number - 1].startswith("# ") for number in rules)


def test_no_rule_has_a_wildcard_unless_it_was_asked_for() -> None:
    assert not [path for path in paths_of(pipeline_policy([EMBER])) if "*" in path or "+" in path]
    asked = pipeline_policy([EMBER], ["env"], ["move-alias", "other-mounts"])
    assert [path for path in paths_of(asked) if "+" in path] == ["identity/group-alias/id/+", "auth/+/config"]


def test_with_scope_cluster_alone_no_role_gives_the_policy_of_the_whole_environment() -> None:
    (line,) = (
        line for line in pipeline_policy([EMBER], ["cluster"]).splitlines() if '"token_policies"' in line
    )
    assert line.strip() == '"token_policies" = [["emea-ember-kv-r"], "emea-ember-kv-r"]'


def test_the_alias_is_pinned_to_the_accessor_that_is_given() -> None:
    policy = pipeline_policy([EMBER], ["env"], ["move-alias"], "auth_oidc_1234")
    assert policy.count('"mount_accessor" = ["auth_oidc_1234"]') == 2
    assert "--oidc-accessor auth_oidc_1234" in policy.splitlines()[1]


def test_vault_reads_a_pinned_text_as_it_is_meant(vault: VaultServer) -> None:
    text = read_policy("emea").text
    quoted = policy_text([VaultRule("x", ("update",), "why", {"policy": (text, "a\\b\tc")})], "")
    assert hcl2.loads(quoted)
    vault.request("PUT", "sys/policies/acl/quoted", {"policy": quoted})


def test_a_value_that_hcl_would_fill_in_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot stand in a policy"):
        policy_text([VaultRule("x", ("update",), "why", {"name": ("${identity}",)})], "")
