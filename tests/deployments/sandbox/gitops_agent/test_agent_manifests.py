"""Rendering with kubectl, and what is done about folders that it cannot build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployments.sandbox.gitops_agent.kustomize import Kustomize
from deployments.sandbox.gitops_agent.manifests import Identity, RenderError
from tests.deployments.sandbox.gitops_agent.merged_repository import EMBER, AgentOf, Repository


def kustomize(repository: Repository) -> Kustomize:
    return Kustomize(repository.path, dict(os.environ))


def test_a_folder_is_rendered_with_its_transformations(repository: Repository) -> None:
    rendered = kustomize(repository).build("argocd/overlays/moc-infra/applications/envs/emea/flint")
    assert rendered.left_out == ()
    assert {one["metadata"]["name"] for one in rendered.manifests} == {
        "cluster-resources-flint",
        "external-secrets-flint",
    }


def test_a_folder_that_needs_a_plugin_is_built_piece_by_piece_and_says_so(repository: Repository) -> None:
    repository.write(f"{EMBER}/generated/kustomization.yaml", "generators:\n- encrypted.yaml\n")
    repository.write(
        f"{EMBER}/generated/encrypted.yaml",
        "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: encrypted\nfiles: []\n",
    )
    repository.list_resource(f"{EMBER}/kustomization.yaml", "generated")
    rendered = kustomize(repository).build(EMBER)
    names = {str(Identity.of(one)) for one in rendered.manifests}
    assert {"Namespace payments", "ClusterRoleBinding fleet-reader"} <= names
    assert len(rendered.left_out) == 2
    assert rendered.left_out[0].startswith(f"{EMBER}: built piece by piece, without its patches")
    assert f"kustomize cannot build {EMBER}/generated: " in rendered.left_out[1]
    assert str(repository.path) not in " ".join(rendered.left_out)


def test_everything_beside_a_broken_folder_is_built(repository: Repository) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"
    names = [f"part-{number}" for number in range(5)]
    for name in names:
        repository.write(f"odd/{name}/kustomization.yaml", "resources:\n- map.yaml\n")
        repository.write(f"odd/{name}/map.yaml", text.format(name))
    repository.write("odd/part-3/kustomization.yaml", "generators:\n- absent.yaml\n")
    repository.write("odd/file.yaml", text.format("file"))
    listed = "".join(f"- {name}\n" for name in [*names, "file.yaml", "gone.yaml"])
    repository.write("odd/kustomization.yaml", f"resources:\n{listed}")
    rendered = kustomize(repository).build("odd")
    assert [one["metadata"]["name"] for one in rendered.manifests] == [
        *("part-0", "part-1", "part-2", "part-4", "file"),
    ]
    assert "odd: gone.yaml is not in the repository" in rendered.left_out
    assert any("kustomize cannot build odd/part-3" in sentence for sentence in rendered.left_out)


def test_a_namespace_of_an_unbuildable_folder_still_counts(repository: Repository) -> None:
    repository.write(
        "odd/kustomization.yaml",
        "namespace: web\nresources:\n- ../external-secrets/base\npatches: a text\n",
    )
    rendered = kustomize(repository).build("odd")
    assert {one["metadata"]["namespace"] for one in rendered.manifests} == {"web"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("resources:\n- absent.yaml\n", "absent.yaml"),
        ("resources: [", "kustomize cannot build odd"),
        ("resources:\n- ../../outside.yaml\n", "kustomize cannot build odd"),
    ],
)
def test_a_folder_of_which_nothing_builds_is_an_error(repository: Repository, text: str, says: str) -> None:
    (repository.path.parent / "outside.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: outside\n"
    )
    repository.write("odd/kustomization.yaml", text)
    with pytest.raises(RenderError, match=says):
        kustomize(repository).build("odd")


def test_a_folder_that_is_not_there_is_an_error(repository: Repository) -> None:
    with pytest.raises(RenderError, match="there is no folder external-secrets/overlays/emea/ember"):
        kustomize(repository).build("external-secrets/overlays/emea/ember")


def test_an_application_that_cannot_be_built_does_not_stop_the_others(
    agent_of: AgentOf, repository: Repository
) -> None:
    repository.enable_ember()
    repository.write("external-secrets/overlays/emea/ember/kustomization.yaml", "resources: [\n")
    repository.commit("Break one folder")
    agent = agent_of()
    agent.round()
    agent.round()
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")
    assert agent.report.applications["external-secrets-ember"].startswith(
        "not synced: kustomize cannot build external-secrets/overlays/emea/ember"
    )


def test_the_checkout_follows_the_branch(agent_of: AgentOf, repository: Repository, tmp_path: Path) -> None:
    agent = agent_of()
    agent.round()
    (repository.path / "README.md").unlink()
    head = repository.commit("Drop a file")
    agent.round()
    assert agent.report.head == head
    assert not (tmp_path / "agent" / "tree" / "README.md").exists()
