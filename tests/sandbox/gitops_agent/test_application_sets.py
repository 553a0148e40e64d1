"""The agent makes the Applications of an ApplicationSet, as far as the sandbox's repositories need it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sandbox.gitops_agent.options import Folders
from tests.sandbox.gitops_agent.merged_repository import AgentOf, Repository

SETS = Folders(application_sets="sets")
OVERLAYS = {"path": "cluster-scope/overlays/prod/*/*"}


def bring(repository: Repository, generator: dict[str, Any], path: str) -> None:
    """A set whose Applications are called after their cluster."""
    cluster = path.rpartition("/")[2] if "{{path" not in path else "{{path.basename}}"
    template = {
        "metadata": {"name": f"of-{cluster}"},
        "spec": {
            "destination": {"name": cluster, "namespace": "external-secrets-operator"},
            "source": {"path": path},
        },
    }
    spec = {"generators": [generator], "template": template}
    a_set = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "fleet"},
        "spec": spec,
    }
    repository.write("sets/kustomization.yaml", "resources:\n  - fleet.yaml\n")
    repository.write("sets/fleet.yaml", yaml.safe_dump(a_set))


def test_a_list_makes_an_application_of_each_element_and_those_of_our_cluster_count(
    agent_of: AgentOf, repository: Repository
) -> None:
    elements = [{"env": "emea", "cluster": "ember"}, {"env": "moc", "cluster": "smaug"}]
    bring(repository, {"list": {"elements": elements}}, "external-secrets/overlays/{{env}}/{{ cluster }}")
    repository.enable_ember()
    repository.commit("A set")
    agent = agent_of(folders=SETS)
    agent.round()
    assert agent.report.problem == ""
    assert set(agent.report.applications) == {"of-ember"}


@pytest.mark.parametrize(
    ("excluded", "found"),
    [([], {"of-ember"}), ([{"path": "cluster-scope/overlays/*/emea/*", "exclude": True}], set())],
)
def test_directories_make_an_application_of_each_folder_that_no_pattern_excludes(
    agent_of: AgentOf, repository: Repository, excluded: list[dict[str, Any]], found: set[str]
) -> None:
    bring(repository, {"git": {"directories": [OVERLAYS, *excluded]}}, "{{path}}")
    repository.commit("A set")
    agent = agent_of(folders=SETS)
    agent.round()
    assert agent.report.problem == ""
    assert set(agent.report.applications) == found


@pytest.mark.parametrize(
    ("generator", "path", "problem"),
    [
        ({"clusters": {}}, "a", "ApplicationSet fleet: the sandbox knows no generator clusters"),
        (
            {"list": {"elements": [{"env": "emea"}]}},
            "external-secrets/overlays/{{env}}/{{cluster}}",
            "ApplicationSet fleet: its generators have no parameter 'cluster'",
        ),
    ],
)
def test_what_the_agent_does_not_know_is_said(
    agent_of: AgentOf, repository: Repository, generator: dict[str, Any], path: str, problem: str
) -> None:
    bring(repository, generator, path)
    repository.commit("A set")
    agent = agent_of(folders=SETS)
    agent.round()
    assert agent.report.problem == problem


def test_applications_of_another_repository_deploy_the_overlays(
    agent_of: AgentOf, repository: Repository
) -> None:
    agent = agent_of(folders=Folders(applications="", operator_overlay=""))
    agent.round()
    assert set(agent.report.applications) == {"cluster-scope/overlays/prod/emea/ember"}
