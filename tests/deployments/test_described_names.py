"""An organisation's names in the file of connections: what is wrong is said with its field, and not saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import deployments.vault.policy
from deployments.connection_file import ConnectionFileError, read_connections, read_conventions
from sandbox.environment import CHECKOUT, clean_environment
from tests.flows.elsewhere import described, printed
from tests.runbook.test_conventions import WITHOUT_ENVIRONMENTS


def problems(directory: Path, names: dict[str, Any]) -> list[str]:
    file = directory / "connections.yaml"
    file.write_text(yaml.safe_dump({"conventions": names}))
    with pytest.raises(ConnectionFileError) as caught:
        read_connections(file, {})
    return caught.value.problems


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            {"auth_mount": "{evn}/{cluster}"},
            "conventions.auth_mount: '{evn}/{cluster}' has {evn}; allowed here",
        ),
        (
            {"policies": {"cluster": "Team-{cluster}"}},
            "conventions.policies.cluster: 'Team-{cluster}' must be",
        ),
        ({"policies": {"cluster_rules": {"file": "x"}}}, "conventions.policies.cluster_rules: the file "),
        ({"administrators": {"group": "a+b"}}, "conventions.administrators.group: 'a+b' must be a name"),
        (
            {"auth_mounts": "k8s"},
            "conventions.auth_mounts: is not a field; fields are administrators, auth_mount",
        ),
        ({"auth_mount": "k8s/{env}"}, "conventions: auth_mount is 'k8s/{env}' and must contain {cluster}"),
        (
            {"environments": False},
            "conventions: cluster_secrets is '{env}/{cluster}', and without environments",
        ),
    ],
)
def test_a_name_that_does_not_fit_is_said_with_its_field(
    tmp_path: Path, names: dict[str, Any], says: str
) -> None:
    (problem,) = problems(tmp_path, names)
    assert problem.startswith(says)


def test_rules_may_lie_in_a_file_beside_it(tmp_path: Path) -> None:
    rules = 'path "{mount}/data/{path}/*" {\n  capabilities = ["read"]\n}\n'
    (tmp_path / "rules.hcl").write_text(rules)
    file = tmp_path / "connections.yaml"
    file.write_text("conventions: {policies: {cluster_rules: {file: rules.hcl}}}\n")
    assert read_conventions(file).policies.cluster_rules == rules


def test_a_dry_run_says_it_and_saves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "connections.yaml"
    file.write_text("conventions: {role: '{evn}-ops'}\n")
    done = subprocess.run(
        [sys.executable, "-m", "deployments.connect", "--dry-run", str(file)],
        cwd=CHECKOUT,
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = "conventions.role: '{evn}-ops' has {evn}; allowed here: {env}, {cluster}"
    assert done.stderr == f"{file}: nothing was done\n  {said}\n"


def test_the_group_of_no_environment_is_named_without_one(tmp_path: Path) -> None:
    names = WITHOUT_ENVIRONMENTS | {"administrators": {"mount": "okta", "group": "vault-writers"}}
    file = described(tmp_path, names, "ocp.example.org")
    group = "3f0e5c1a-8f7b-4b0e-9d55-6a4c7d1f2b9e"
    words = ("--connections", str(file), "--oidc-accessor", "auth_okta_1a2b", "--group", f"={group}")
    policy = printed(deployments.vault.policy.main, *words)
    assert f'"canonical_id" = ["{group}"]' in policy
    assert "vault-writers" in policy
    assert "vault write identity/group-alias" not in policy, "runs write the alias"
