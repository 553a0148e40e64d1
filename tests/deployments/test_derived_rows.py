"""Of which cluster ``--check`` shows names, and which rows there are."""

from __future__ import annotations

import pytest

from deployments.commands import CommandError
from deployments.connect import chosen
from deployments.derived_names.git import names_in_git
from deployments.derived_names.rows import DerivedName, Finding, rows_of
from runbook.errors import Unreachable
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.request import EnableRequest


def test_the_first_cluster_of_the_file_is_shown_or_the_one_that_is_named() -> None:
    targets = (Cluster("emea", "ember"), Cluster("apac", "flint"))
    assert chosen(targets, None) == targets[0]
    assert chosen(targets, "flint") == chosen(targets, "apac/flint") == targets[1]
    with pytest.raises(CommandError, match=r"--cluster emea/flint: .* it has emea/ember, apac/flint"):
        chosen(targets, "emea/flint")


def test_a_system_that_does_not_answer_is_asked_once() -> None:
    asked = []

    def look(name: str) -> Finding:
        asked.append(name)
        raise Unreachable("Vault", "https://vault.example.com", "timed out", "Check it.")

    rows = rows_of(
        "Vault", [DerivedName("x", one, look) for one in ("a", "b")], lambda one: one.look(one.name)
    )
    assert asked == ["a"]
    assert [(row.name, row.state, row.remark) for row in rows] == [
        (one, "not checked", "https://vault.example.com: timed out") for one in ("a", "b")
    ]


def test_what_a_repository_does_not_have_has_no_row() -> None:
    request = EnableRequest(env="emea", cluster="ember", namespaces=("web",))
    layout = Layout(operator_bundle=None, operator_overlay=None, application_set="sets/{env}.yaml")
    assert {one.what: one.name for one in names_in_git(request, layout)} == {
        "overlay of the cluster": "cluster-scope/overlays/prod/emea/ember",
        "ApplicationSet": "sets/emea.yaml",
        "folder of the stores": "cluster-scope/overlays/prod/emea/ember/secret-mgmt",
        "branch of the change": "enable-vault/emea/ember",
    }
