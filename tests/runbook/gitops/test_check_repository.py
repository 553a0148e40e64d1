"""The rows of the preflight table that are about the repository."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from runbook.checks import Check
from runbook.gitops import FileTree, check_repository, declared_namespaces, interesting_folders
from runbook.layout import Layout
from tests.runbook.gitops.conftest import Changed, Request

OVERLAYS = "cluster-scope/overlays/prod"
APPLICATIONS = "argocd/overlays/moc-infra/applications"
ENVS = f"{APPLICATIONS}/envs/emea/ember"

BUNDLE_ROW = "Operator's bundle"
FOLDER_ROW = "ArgoCD Applications of emea/ember"
SIBLING_ROW = "Application of the cluster's resources"
GROUP_ROW = "ArgoCD builds cluster-management"
APP_OF_APPS_ROW = "App-of-apps of emea/ember"


RowsOf = Callable[..., dict[str, Check]]


@pytest.fixture
def rows_of(repository: FileTree, request_for: Request) -> RowsOf:
    """By prerequisite, the rows of the sandbox's repository or another tree."""

    def look(
        tree: FileTree = repository, *, layout: Layout | None = None, **parameters: str
    ) -> dict[str, Check]:
        rows = check_repository(tree, request_for(**parameters), layout or Layout())
        return {row.prerequisite: row for row in rows}

    return look


def test_everything_is_there_for_a_cluster_that_can_be_enabled(rows_of: RowsOf) -> None:
    rows = rows_of()

    assert {row.status for row in rows.values()} == {"ok"}
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("env", "cluster", "found"),
    [
        ("emea", "nowhere", "no cluster 'nowhere' in 'emea'; its clusters: ember, flint"),
        ("nowhere", "ember", "no environment 'nowhere'; environments: emea, moc"),
    ],
)
def test_an_unknown_cluster_is_told_from_an_unknown_environment(
    rows_of: RowsOf, env: str, cluster: str, found: str
) -> None:
    row = rows_of(env=env, cluster=cluster)[f"Overlay of {env}/{cluster}"]

    assert (row.status, row.found) == ("failed", found)
    assert f"{OVERLAYS}/{env}/{cluster}" in row.remedy


def test_a_common_overlay_is_not_listed_as_a_cluster(changed: Changed, rows_of: RowsOf) -> None:
    tree = changed(
        {
            f"{OVERLAYS}/emea/common/kustomization.yaml": "resources: []\n",
            f"{OVERLAYS}/emea/flint/kustomization.yaml": "resources: [../common]\n",
        }
    )

    row = rows_of(tree, cluster="nowhere")["Overlay of emea/nowhere"]

    assert row.found.endswith("its clusters: ember, flint")


@pytest.mark.parametrize(
    ("gone", "row", "found"),
    [
        (
            "cluster-scope/bundles/external-secrets-operator/kustomization.yaml",
            BUNDLE_ROW,
            "cluster-scope/bundles/external-secrets-operator",
        ),
        ("external-secrets/base/kustomization.yaml", "Operator's base", "external-secrets/base"),
        (f"{ENVS}/cluster-management/kustomization.yaml", FOLDER_ROW, f"{ENVS}/cluster-management"),
        (
            f"{ENVS}/cluster-management/cluster-resources.yaml",
            SIBLING_ROW,
            "cluster-resources.yaml is not there",
        ),
        (f"{ENVS}/kustomization.yaml", GROUP_ROW, f"{ENVS} has no kustomization file"),
        (f"{APPLICATIONS}/app-of-apps/kustomization.yaml", APP_OF_APPS_ROW, "has no kustomization file"),
        (
            f"{APPLICATIONS}/app-of-apps/app-of-apps-ember.yaml",
            APP_OF_APPS_ROW,
            f"no Application in {APPLICATIONS}/app-of-apps has the source.path {ENVS}",
        ),
    ],
)
def test_a_missing_file_fails_its_row_and_says_which(
    changed: Changed, rows_of: RowsOf, gone: str, row: str, found: str
) -> None:
    check = rows_of(changed({gone: None}))[row]

    assert check.status == "failed"
    assert found in check.found
    assert check.remedy


@pytest.mark.parametrize(
    ("path", "text", "row", "found"),
    [
        (
            f"{ENVS}/cluster-management/kustomization.yaml",
            "resources: [other.yaml]\n",
            SIBLING_ROW,
            "is not listed",
        ),
        (
            f"{ENVS}/cluster-management/cluster-resources.yaml",
            "kind: Application\nspec: {source: {path: cluster-scope/overlays/prod/emea/flint}}\n",
            SIBLING_ROW,
            f"does not deploy {OVERLAYS}/emea/ember",
        ),
        (f"{ENVS}/kustomization.yaml", "resources: [other]\n", GROUP_ROW, "does not list cluster-management"),
        (
            f"{APPLICATIONS}/app-of-apps/kustomization.yaml",
            "resources: [app-of-apps-flint.yaml]\n",
            APP_OF_APPS_ROW,
            "app-of-apps-ember.yaml deploys",
        ),
    ],
)
def test_a_file_that_is_not_listed_breaks_the_chain_at_its_row(
    changed: Changed, rows_of: RowsOf, path: str, text: str, row: str, found: str
) -> None:
    rows = rows_of(changed({path: text}))

    assert [name for name, check in rows.items() if check.status == "failed"] == [row]
    assert found in rows[row].found
    assert rows[row].remedy


def test_every_broken_link_of_the_chain_is_a_row_of_its_own(changed: Changed, rows_of: RowsOf) -> None:
    broken = {
        f"{ENVS}/kustomization.yaml": "resources: []\n",
        f"{ENVS}/cluster-management/cluster-resources.yaml": None,
        f"{APPLICATIONS}/app-of-apps/kustomization.yaml": "resources: [app-of-apps-flint.yaml]\n",
    }

    rows = rows_of(changed(broken))

    failed = [name for name, check in rows.items() if check.status == "failed"]
    assert failed == [SIBLING_ROW, GROUP_ROW, APP_OF_APPS_ROW]


def test_without_an_argocd_folder_the_rest_of_the_chain_is_not_checked(rows_of: RowsOf) -> None:
    layout = Layout(applications="argocd/elsewhere/{env}/{cluster}")

    rows = rows_of(layout=layout)

    assert rows[FOLDER_ROW].status == "failed"
    assert "argocd/elsewhere/emea/ember is not there" in rows[FOLDER_ROW].found
    assert "would never sync an Application in it" in rows[FOLDER_ROW].found
    assert {rows[name].status for name in (SIBLING_ROW, GROUP_ROW, APP_OF_APPS_ROW)} == {"not checked"}


class TestAdminGroup:
    """The Group is declared on the cluster where Vault runs, or the row says what to add."""

    ROW = "Group vault-admins-emea on moc/smaug"
    FOLDER = f"{OVERLAYS}/moc/smaug/groups"

    def test_missing_is_a_warning_with_the_manifest(self, changed: Changed, rows_of: RowsOf) -> None:
        tree = changed({f"{self.FOLDER}/vault-admins-emea.yaml": None})

        check = rows_of(tree)[self.ROW]

        assert check.status == "warning"
        assert f"{self.FOLDER}/vault-admins-emea.yaml" in check.remedy
        manifest = yaml.safe_load(check.remedy.partition("\n")[2])
        assert (manifest["kind"], manifest["metadata"]) == ("Group", {"name": "vault-admins-emea"})

    def test_in_a_file_that_is_not_listed_is_a_warning(self, changed: Changed, rows_of: RowsOf) -> None:
        tree = changed({f"{self.FOLDER}/kustomization.yaml": "resources: [vault-admins-moc.yaml]\n"})

        assert rows_of(tree)[self.ROW].status == "warning"

    def test_outside_the_groups_folder_counts_as_well(self, changed: Changed, rows_of: RowsOf) -> None:
        group = changed({}).read(f"{self.FOLDER}/vault-admins-emea.yaml")
        tree = changed(
            {
                f"{self.FOLDER}/vault-admins-emea.yaml": None,
                "cluster-scope/base/core/namespaces/vault/namespace.yaml": group,
            }
        )

        assert rows_of(tree)[self.ROW].status == "ok"


def test_declared_namespaces_are_those_that_the_overlay_builds(
    repository: FileTree, request_for: Request, layout: Layout
) -> None:
    request = request_for(namespaces=("payments", "web", "metrics", "unknown"))

    assert declared_namespaces(repository, request, layout) == {"payments", "web"}
    assert declared_namespaces(FileTree({}), request, layout) == frozenset()


@pytest.mark.parametrize(
    "text", ["kind: [", "- kind\n", "kind: Application\nresources: {a: b}\nspec: [1, null]\n"]
)
def test_a_broken_file_anywhere_is_a_row_and_not_an_exception(
    changed: Changed, rows_of: RowsOf, text: str
) -> None:
    tree = changed({})
    for path in _all_files(tree):
        assert len(rows_of(changed({path: text}), cluster="flint")) == 8


def _all_files(tree: FileTree, folder: str = "") -> list[str]:
    paths: list[str] = []
    for name in tree.entries(folder):
        path = f"{folder}/{name}".lstrip("/")
        paths += _all_files(tree, path.rstrip("/")) if name.endswith("/") else [path]
    return paths


def test_kustomizations_that_refer_to_each_other_do_not_run_in_circles(
    changed: Changed, request_for: Request, layout: Layout
) -> None:
    tree = changed({f"{OVERLAYS}/common/kustomization.yaml": "resources: [../emea/ember, ../../../../..]\n"})

    assert declared_namespaces(tree, request_for(), layout) == {"payments", "web"}


def test_the_folders_to_fetch_hold_everything_that_the_layout_names(layout: Layout) -> None:
    assert interesting_folders(layout) == ("argocd", "cluster-scope", "external-secrets")
