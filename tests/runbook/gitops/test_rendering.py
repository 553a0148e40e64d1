"""What kustomize and yamllint make of the sandbox's repository, before and after the edits."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.gitops import FileTree, StoreSettings, wanted_edits
from runbook.layout import Layout
from runbook.request import EnableRequest
from tests.runbook.gitops.conftest import keys_of, kustomize

REPOSITORY = Path(__file__).parents[3] / "sandbox" / "repository"
TOOLS = Path(sysconfig.get_path("scripts"))
OVERLAY = "cluster-scope/overlays/prod/emea/ember"


@pytest.fixture
def edited(
    tmp_path: Path,
    repository: FileTree,
    request_for: Callable[..., EnableRequest],
    layout: Layout,
    store: StoreSettings,
) -> Path:
    """A copy of the repository on disk in which `emea/ember` is enabled."""
    root = tmp_path / "repository"
    shutil.copytree(REPOSITORY, root)
    for edit in wanted_edits(repository, request_for(), layout, store):
        file = root / edit.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(edit.after)
    return root


def _lint(root: Path) -> str:
    done = subprocess.run(
        [TOOLS / "yamllint", "--strict", "."], cwd=root, capture_output=True, check=False, text=True
    )
    return done.stdout


@pytest.mark.parametrize(
    "folder",
    sorted(
        {
            str(path.parent.relative_to(REPOSITORY))
            for path in REPOSITORY.glob("*/overlays/**/kustomization.yaml")
        }
    ),
)
def test_every_overlay_of_the_sandbox_builds(folder: str) -> None:
    assert kustomize(REPOSITORY / folder)


def test_the_sandboxs_repository_passes_its_linter() -> None:
    assert _lint(REPOSITORY) == ""


def test_the_edits_pass_the_linter(edited: Path) -> None:
    assert _lint(edited) == ""


def test_the_overlay_builds_to_what_was_there_and_the_onboarding(edited: Path) -> None:
    before, after = kustomize(REPOSITORY / OVERLAY), kustomize(edited / OVERLAY)

    assert [item for item in after if item in before] == before
    assert keys_of(after) - keys_of(before) == {
        ("Namespace", "", "external-secrets-operator"),
        ("ClusterRoleBinding", "", "eso-tokenreview"),
        ("OperatorGroup", "external-secrets-operator", "external-secrets-operator"),
        ("Subscription", "external-secrets-operator", "external-secrets-operator"),
        ("ServiceAccount", "payments", "vault-secret-fetcher"),
        ("SecretStore", "payments", "opf-vault-store"),
        ("ServiceAccount", "web", "vault-secret-fetcher"),
        ("SecretStore", "web", "opf-vault-store"),
    }


def test_the_operators_overlay_builds_to_the_reviewer_and_its_token(edited: Path) -> None:
    objects = kustomize(edited / "external-secrets/overlays/emea/ember")

    assert keys_of(objects) == {
        ("OperatorConfig", "external-secrets-operator", "cluster"),
        ("ServiceAccount", "external-secrets-operator", "eso-vault-auth"),
        ("Secret", "external-secrets-operator", "eso-vault-auth-token"),
    }


def test_argocd_gets_an_application_with_a_name_of_its_own(edited: Path) -> None:
    objects = kustomize(edited / "argocd/overlays/moc-infra/applications/envs/emea/ember")

    assert keys_of(objects) == {
        ("Application", "argocd", "cluster-resources-ember"),
        ("Application", "argocd", "external-secrets-ember"),
    }
