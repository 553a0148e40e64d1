"""An organisation's names in the file of connections: what is wrong is said with its field, and not saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import deployments.vault.policy
from deployments.connection_file import ConnectionFileError, read_connections, read_conventions
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
            {"policies": {"cluster": "Team-{cluster}"}},
            "conventions.policies.cluster: 'Team-{cluster}' must be",
        ),
        ({"policies": {"cluster_rules": {"file": "x"}}}, "conventions.policies.cluster_rules: the file "),
        (
            {"auth_mounts": "k8s"},
            "conventions.auth_mounts: is not a field; fields are administrators, auth_mount",
        ),
        ({"auth_mount": "k8s/{env}"}, "conventions: auth_mount is 'k8s/{env}' and must contain {cluster}"),
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


def test_the_group_of_no_environment_is_named_without_one(tmp_path: Path) -> None:
    names = WITHOUT_ENVIRONMENTS | {"administrators": {"mount": "okta", "group": "vault-writers"}}
    file = described(tmp_path, names, "ocp.example.org")
    group = "3f0e5c1a-8f7b-4b0e-9d55-6a4c7d1f2b9e"
    words = ("--connections", str(file), "--oidc-accessor", "auth_okta_1a2b", "--group", f"={group}")
    policy = printed(deployments.vault.policy.main, *words)
    assert f'"canonical_id" = ["{group}"]' in policy
    assert "vault-writers" in policy
    assert "vault write identity/group-alias" not in policy, "runs write the alias"
