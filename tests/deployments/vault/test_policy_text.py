"""The command that prints the policy of the pipeline's own token, and the text that it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hcl2
import pytest
import yaml

from deployments.vault import policy
from deployments.vault.hcl import policy_text
from deployments.vault.policy import pipeline_policy
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.objects.policy import environment_policy
from runbook.objects.vault_object import VaultRule
from sandbox.environment import CHECKOUT, clean_environment
from sandbox.vault_server import VaultServer
from tests.printed_commands import printed
from tests.rights import EMBER

FLINT = Cluster("emea", "flint")
SMAUG = Cluster("moc", "smaug")


ACCESSOR = "auth_oidc_1a2b3c4d"
GROUP_ID = "c39ce95c-6f40-711e-9c8b-7108b23f5382"
CLUSTERS = ("emea/ember", "moc/smaug", "--oidc-accessor", ACCESSOR)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command says of arguments with which it prints no policy."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            policy.main([*arguments])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        return err

    return run


def paths_of(text: str) -> list[str]:
    return [json.loads(name) for block in hcl2.loads(text)["path"] for name in block]


def test_the_command_prints_what_vault_takes_and_how_it_was_made(vault: VaultServer, tmp_path: Path) -> None:
    arguments = (*CLUSTERS, "--group", f"emea={GROUP_ID}", "--policy-scope", "cluster", "--allow", "audit")
    done = subprocess.run(
        [sys.executable, "-m", "deployments.vault.policy", *arguments],
        cwd=CHECKOUT,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    groups = {"emea": GROUP_ID}
    made_by, _, text = done.stdout.partition("\n")
    assert text == pipeline_policy([EMBER, SMAUG], ACCESSOR, ["cluster"], ["audit"], groups)
    assert made_by == f"# Made by: python -m deployments.vault.policy {' '.join(arguments)}"
    vault.request("PUT", "sys/policies/acl/printed", {"policy": done.stdout})
    assert vault.request("GET", "sys/policies/acl/printed")["data"]["policy"] == done.stdout


def test_a_file_of_connections_names_clusters_and_namespace_before_its_secrets_are_there(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    file = tmp_path / "connections.yaml"
    clusters = {
        "ember": {"env": "emea", "kubeconfig": {"file": "absent"}},
        "smaug": {"env": "moc", "kubeconfig": {"file": "absent"}},
    }
    vault = {"address": "https://one.example", "namespace": "team", "token": {"env": "NOT_SET"}}
    file.write_text(yaml.safe_dump({"vault": vault, "clusters": clusters}, sort_keys=False))
    options = ("--connections", str(file), "--oidc-accessor", ACCESSOR)
    command = f"python -m deployments.vault.policy {' '.join(options)}"
    text = printed(policy, command)
    assert text.endswith(f"\n{pipeline_policy([EMBER, SMAUG], ACCESSOR, namespace='team')}")
    assert "export VAULT_NAMESPACE=team" in text
    assert "export VAULT_NAMESPACE=another" in printed(policy, f"{command} --namespace another")

    del clusters["smaug"]["env"]
    file.write_text(yaml.safe_dump({"vault": vault, "clusters": clusters}))
    assert "clusters.smaug.env: is missing" in refused(*options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ember"], "'ember' is not <env>/<cluster>"),
        (["emea/Ember"], "cluster='Ember': is not a name"),
        (["emea/a/b"], "cluster='a/b': is not a name"),
        (["emea/ember", "--policy-scope", "all"], "invalid choice: 'all'"),
        (["--oidc-accessor", ACCESSOR], "give either ENV/CLUSTER or --connections"),
        ([*CLUSTERS, "--connections", "a"], "give either ENV/CLUSTER or --connections"),
        (["--connections", "/absent.yaml", "--oidc-accessor", ACCESSOR], "cannot be read: No such file"),
        (["emea/ember"], "required: --oidc-accessor"),
        *(
            (["emea/ember", "--oidc-accessor", text], "is not the accessor")
            for text in ("", " ", "*", "auth_*")
        ),
        ([*CLUSTERS, "--group", "emea"], "'emea' is not ENV=ID"),
        *(
            ([*CLUSTERS, "--group", text], "is not an environment of these clusters with the id")
            for text in ("emea=", "emea=*", "apac=" + GROUP_ID, "emea=vault-admins-emea")
        ),
        (
            [*CLUSTERS, "--group", f"emea={GROUP_ID}", "--group", f"moc={GROUP_ID[::-1]}"],
            "is not an environment of these clusters with the id",
        ),
        (
            [*CLUSTERS, "--group", f"emea={GROUP_ID}", "--group", f"moc={GROUP_ID}"],
            "the alias of one environment to the group of another",
        ),
        ([*CLUSTERS, "--allow", "move-alias"], "needs the group"),
        ([*CLUSTERS, "--read-only", "--group", f"emea={GROUP_ID}"], "would let the token write an alias"),
        (
            ["emea/ember", "apac/ember", "--oidc-accessor", ACCESSOR],
            "emea/ember and apac/ember: share the mount auth/ember-k8s",
        ),
        (
            ["emea/ember", "emea-ember/x", "--oidc-accessor", ACCESSOR],
            "emea/ember and emea-ember/x: share the policy emea-ember-kv-r",
        ),
        (
            ["a-b/c", "moc/smaug", "a/b-c", "--oidc-accessor", ACCESSOR],
            "a-b/c and a/b-c: share the policy a-b-c-kv-r",
        ),
    ],
)
def test_what_is_no_cluster_is_said_and_nothing_is_printed(
    arguments: list[str], words: str, refused: Callable[..., str]
) -> None:
    assert words in refused(*arguments)


def test_each_path_stands_there_once_and_alone_clusters_share_what_is_the_environments() -> None:
    policy = pipeline_policy([EMBER, FLINT, SMAUG], ACCESSOR)
    paths = paths_of(policy)
    assert len(paths) == len(set(paths))
    assert {path for path in paths if "flint" in path} == {
        "sys/auth/flint-k8s",
        "auth/flint-k8s/config",
        "auth/flint-k8s/role",
        "auth/flint-k8s/role/emea-ops",
    }
    assert '"alias_name" = ["vault-admins-emea", "vault-admins-moc"]' in policy
    assert "identity/group-alias" not in paths


def test_every_rule_says_why_it_is_there() -> None:
    lines = pipeline_policy([EMBER], ACCESSOR).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("path ")]
    assert len(rules) > 10
    assert all(lines[number - 1].startswith("# ") for number in rules)


def test_no_rule_has_a_wildcard_unless_it_was_asked_for() -> None:
    assert not [path for path in paths_of(pipeline_policy([EMBER], ACCESSOR)) if "*" in path or "+" in path]
    asked = pipeline_policy(
        [EMBER], ACCESSOR, extras=["move-alias", "other-mounts"], groups={"emea": GROUP_ID}
    )
    assert [path for path in paths_of(asked) if "+" in path] == ["identity/group-alias/id/+", "auth/+/config"]


def test_with_scope_cluster_alone_no_role_gives_the_policy_of_the_whole_environment() -> None:
    (line,) = (
        line
        for line in pipeline_policy([EMBER], ACCESSOR, ["cluster"]).splitlines()
        if '"token_policies"' in line
    )
    assert line.strip() == '"token_policies" = [["emea-ember-kv-r"], "emea-ember-kv-r"]'


def test_the_alias_is_pinned_to_name_accessor_and_group() -> None:
    policy = pipeline_policy([EMBER], ACCESSOR, ["env"], ["move-alias"], {"emea": GROUP_ID})
    assert "sys/audit" not in paths_of(policy)
    assert policy.count('"name" = ["vault-admins-emea"]') == 2
    assert policy.count(f'"mount_accessor" = ["{ACCESSOR}"]') == 2
    assert policy.count(f'"canonical_id" = ["{GROUP_ID}"]') == 2
    assert f'"alias_mount_accessor" = ["{ACCESSOR}"]' in policy


def test_the_head_names_what_an_administrator_writes_before_and_the_commands_work(
    vault: VaultServer, vault_command: Callable[[str], str]
) -> None:
    accessor = vault_command("vault read -field=accessor sys/auth/oidc")
    head = pipeline_policy([EMBER, FLINT, SMAUG], accessor).split("\n\n", maxsplit=1)[0]
    commands = [line.removeprefix("# ") for line in head.splitlines() if line.startswith("# vault write")]
    for line in commands:
        vault_command(line)
    for env in ("emea", "moc"):
        group = vault.request("GET", f"identity/group/name/vault-admins-{env}")["data"]
        assert (group["type"], group["policies"]) == ("external", [f"{env}-kv-rw"])
        assert (group["alias"]["name"], group["alias"]["mount_accessor"]) == (group["name"], accessor)


def test_the_text_says_in_which_namespace_it_belongs() -> None:
    command = f"python -m {policy.__name__} {' '.join(CLUSTERS)} --namespace platform/team"
    text = printed(policy, command)
    assert text.startswith(f"# Made by: {command}\n")
    assert "# To be written in the namespace platform/team: export VAULT_NAMESPACE=platform/team" in text
    for text in ("team\n}", "a b", "$(id)"):
        with pytest.raises(InvalidInput, match="is not a namespace"):
            pipeline_policy([EMBER], ACCESSOR, namespace=text)


def test_vault_reads_a_pinned_text_as_it_is_meant(vault: VaultServer) -> None:
    text = environment_policy(EMBER).text
    quoted = policy_text([VaultRule("x", ("update",), "why", {"policy": (text, "a\\b\tc")})], "")
    assert hcl2.loads(quoted)
    vault.request("PUT", "sys/policies/acl/quoted", {"policy": quoted})


def test_a_value_that_hcl_would_fill_in_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot stand in a policy"):
        policy_text([VaultRule("x", ("update",), "why", {"name": ("${identity}",)})], "")
