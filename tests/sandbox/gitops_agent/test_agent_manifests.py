"""Rendering with kubectl, and what is done about folders that it cannot build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.gitops_agent.kustomize import Kustomize
from sandbox.gitops_agent.manifests import Identity, RenderError
from tests.sandbox.gitops_agent.merged_repository import EMBER, AgentOf, Repository


def kustomize(repository: Repository) -> Kustomize:
    return Kustomize(repository.path, dict(os.environ))


def test_a_folder_is_rendered_with_its_transformations(repository: Repository) -> None:
    rendered = kustomize(repository).build("argocd/overlays/moc-infra/applications/envs/emea/flint")
    assert rendered.left_out == ()
    assert {one["metadata"]["name"] for one in rendered.manifests} == {
        "cluster-resources-flint",
        "external-secrets-flint",
    }


def test_a_folder_that_needs_a_plugin_is_built_without_it_and_says_so(repository: Repository) -> None:
    repository.write(f"{EMBER}/generated/kustomization.yaml", "generators:\n- encrypted.yaml\n")
    repository.write(
        f"{EMBER}/generated/encrypted.yaml",
        "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: encrypted\nfiles: []\n",
    )
    repository.list_resource(f"{EMBER}/kustomization.yaml", "generated")
    rendered = kustomize(repository).build(EMBER)
    names = {str(Identity.of(one)) for one in rendered.manifests}
    assert {"Namespace payments", "ClusterRoleBinding fleet-reader"} <= names
    assert rendered.left_out == (f"{EMBER}/generated: built without its generators encrypted.yaml",)
    assert "encrypted.yaml" in (repository.path / EMBER / "generated/kustomization.yaml").read_text()


OBJECT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n"


@pytest.mark.parametrize(
    "text",
    [
        "resources:\n- once.yaml\n- twice.yaml\n",
        "resources:\n- once.yaml\n- gone.yaml\n",
        "resources:\n- gone.yaml\n",
        "resources: [",
        "resources:\n- ../../outside.yaml\n",
    ],
)
def test_a_folder_is_built_as_a_whole_or_not_at_all(repository: Repository, text: str) -> None:
    for name in ("odd/once.yaml", "odd/twice.yaml", "../outside.yaml"):
        repository.write(name, OBJECT)
    repository.write("odd/kustomization.yaml", text)
    with pytest.raises(RenderError, match="kustomize cannot build odd"):
        kustomize(repository).build("odd")


def test_a_folder_that_is_not_there_is_an_error(repository: Repository) -> None:
    with pytest.raises(RenderError, match="there is no folder external-secrets/overlays/emea/ember"):
        kustomize(repository).build("external-secrets/overlays/emea/ember")


def test_an_application_that_cannot_be_built_does_not_stop_the_others(
    agent_of: AgentOf, repository: Repository
) -> None:
    repository.enable_ember()
    repository.write("external-secrets/overlays/emea/ember/kustomization.yaml", "resources: [\n")
    agent = agent_of()
    repository.land(agent)
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")
    assert agent.report.applications["external-secrets-ember"].startswith(
        "not synced: kustomize cannot build external-secrets/overlays/emea/ember"
    )


def test_the_checkout_follows_the_branch(agent_of: AgentOf, repository: Repository, tmp_path: Path) -> None:
    agent = agent_of()
    agent.round()
    (repository.path / "README.md").unlink()
    assert repository.land(agent) == agent.report.head
    assert not (tmp_path / "agent" / "tree" / "README.md").exists()
