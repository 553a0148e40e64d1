"""Repositories that lack something that the default layout has: what we add then, and what the rows say."""

from __future__ import annotations

import pytest
import yaml

from runbook import manifests
from runbook.checks import Check
from runbook.conventions import RUNBOOK
from runbook.gitops import FileTree, check_repository, interesting_folders
from runbook.layout import Layout
from tests.runbook.gitops.judging import (
    APPLICATIONS,
    FILES,
    KUSTOMIZATION,
    OVERLAY,
    REQUEST,
    Outcome,
    with_members,
)

BUNDLE = "cluster-scope/bundles/external-secrets-operator"
BY_OTHERS = Layout(operator_bundle=None, operator_overlay=None, applications=None, vault_cluster=None)
SECRET_MGMT = f"{OVERLAY}/secret-mgmt"


def rows_of(files: dict[str, str | None], layout: Layout) -> dict[str, Check]:
    tree = FileTree({path: text for path, text in {**FILES, **files}.items() if text is not None})
    return {row.prerequisite: row for row in check_repository(tree, REQUEST, layout)}


def of_others(token: str = manifests.reviewer_token(RUNBOOK.operator)) -> dict[str, str | None]:
    """The operator and the reviewer's objects, in a folder that the cluster's overlay builds upon."""
    account = manifests.service_account("eso-vault-auth")
    folder = "namespace: external-secrets-operator\nresources: [a.yaml]\n"
    return {
        KUSTOMIZATION: with_members("../../../../bundles/external-secrets-operator", "reviewer"),
        f"{OVERLAY}/reviewer/kustomization.yaml": folder,
        f"{OVERLAY}/reviewer/a.yaml": f"{account}---\n{token}" if token else account,
    }


def test_where_others_install_the_operator_only_the_namespaces_are_added() -> None:
    outcome = Outcome(of_others(), BY_OTHERS)
    others = [path for path in outcome.edits if not path.startswith(f"{SECRET_MGMT}/")]
    assert others == [KUSTOMIZATION]
    rows = {row.prerequisite: row for row in outcome.rows}
    assert {row.status for row in outcome.rows} == {"ok", "not checked"}
    assert rows["Reviewer eso-vault-auth is built"].status == "ok"
    assert rows["Our objects in the overlay of emea/ember"].status == "ok"
    applications = rows["kustomize builds the Applications of emea/ember"]
    assert (applications.status, "another repository" in applications.found) == ("not checked", True)
    assert outcome.second == ()
    assert outcome.names.operator == outcome.names.resources == f"the Application that deploys {OVERLAY}"


def test_who_brings_the_operator_and_its_namespace_is_told_as_the_folders_build_them() -> None:
    def names(layout: Layout, *, with_namespace: bool) -> tuple[str, str]:
        namespace = "../../../../base/core/namespaces/external-secrets-operator"
        found = Outcome({KUSTOMIZATION: with_members(namespace)} if with_namespace else {}, layout).names
        return found.installing, found.namespace

    overlay = "cluster-resources-ember"
    assert names(Layout(), with_namespace=False) == (overlay, overlay)
    theirs, others = Layout(operator_bundle=None), "what others install the operator with"
    assert names(theirs, with_namespace=False) == (others, others)
    assert names(theirs, with_namespace=True) == (others, overlay)
    of_operator = Layout(bundle_listed_in="operator_overlay")
    assert names(of_operator, with_namespace=False) == 2 * ("external-secrets-ember",)


def test_a_reviewer_without_its_token_is_told_with_the_manifest_to_add() -> None:
    outcome = Outcome(of_others(token=""), BY_OTHERS)
    (row,) = (row for row in outcome.rows if row.status == "failed")
    assert row.prerequisite == "Reviewer eso-vault-auth is built"
    assert "makes Secret external-secrets-operator/eso-vault-auth-token" in row.found
    sentence, _, manifest = row.remedy.partition("\n")
    assert OVERLAY in sentence
    assert yaml.safe_load(manifest)["metadata"]["name"] == "eso-vault-auth-token"


def test_what_the_layout_does_not_name_is_not_checked() -> None:
    rows = rows_of({}, BY_OTHERS)
    assert {name: row.status for name, row in rows.items()} == {
        "Overlay of emea/ember": "ok",
        "Operator's bundle": "not checked",
        "Operator's base": "not checked",
        "ArgoCD Applications of emea/ember": "not checked",
    }
    assert "installed by others" in rows["Operator's bundle"].found
    assert "in another repository" in rows["ArgoCD Applications of emea/ember"].found
    assert interesting_folders(BY_OTHERS) == ("cluster-scope",)


def test_an_app_of_apps_elsewhere_is_not_checked_and_named_in_words() -> None:
    layout = Layout(app_of_apps=None)
    row = rows_of({}, layout)["App-of-apps of emea/ember"]
    assert (row.status, "in another repository" in row.found) == ("not checked", True)
    outcome = Outcome({}, layout)
    assert outcome.names.app_of_apps == f"the Application that deploys {APPLICATIONS}"
    assert not outcome.noted


def test_a_bundle_listed_in_the_operators_overlay_is_not_listed_in_the_clusters() -> None:
    outcome = Outcome({}, Layout(bundle_listed_in="operator_overlay"))
    folder = "external-secrets/overlays/emea/ember"
    operator = yaml.safe_load(outcome.edits[f"{folder}/kustomization.yaml"].after)
    assert f"../../../../{BUNDLE}" in operator["resources"]
    assert "external-secrets-operator" not in outcome.edits[KUSTOMIZATION].after
    assert not outcome.noted
    assert outcome.second == ()
    tokens = list(outcome.builds.operator.after.objects("Secret"))
    assert [token["metadata"]["namespace"] for token in tokens] == ["external-secrets-operator"]


def test_a_bundle_that_the_clusters_overlay_brings_is_not_listed_a_second_time() -> None:
    files = {KUSTOMIZATION: with_members("../../../../bundles/external-secrets-operator")}
    outcome = Outcome(files, Layout(bundle_listed_in="operator_overlay"))
    operator = outcome.edits["external-secrets/overlays/emea/ember/kustomization.yaml"].after
    assert BUNDLE not in operator
    assert not outcome.noted


def test_without_a_base_the_operators_overlay_gets_the_reviewers_account_itself() -> None:
    outcome = Outcome({}, Layout(operator_base=None))
    operator = yaml.safe_load(outcome.edits["external-secrets/overlays/emea/ember/kustomization.yaml"].after)
    assert operator["resources"] == ["eso-vault-auth-token.yaml", "eso-vault-auth.yaml"]
    assert not outcome.noted
    assert outcome.second == ()


def test_a_token_that_others_bring_with_their_operator_is_not_made_twice() -> None:
    outcome = Outcome(of_others(), Layout(operator_bundle=None))
    operator = yaml.safe_load(outcome.edits["external-secrets/overlays/emea/ember/kustomization.yaml"].after)
    assert operator["resources"] == ["../../../base"]


def test_without_a_base_what_the_bundle_brings_is_not_made_twice() -> None:
    bundle = FILES[f"{BUNDLE}/kustomization.yaml"] + "  - reviewer.yaml\n"
    account = manifests.service_account("eso-vault-auth", "external-secrets-operator")
    outcome = Outcome(
        {f"{BUNDLE}/kustomization.yaml": bundle, f"{BUNDLE}/reviewer.yaml": account},
        Layout(operator_base=None),
    )
    operator = yaml.safe_load(outcome.edits["external-secrets/overlays/emea/ember/kustomization.yaml"].after)
    assert operator["resources"] == ["eso-vault-auth-token.yaml"]
    assert not [row for row in outcome.rows if row.status == "failed"]


def test_without_a_base_an_account_that_others_bring_is_not_made_twice() -> None:
    outcome = Outcome(of_others(), Layout(operator_base=None, operator_bundle=None))
    assert not [path for path in outcome.edits if path.startswith(("external-secrets/", "argocd/"))]
    rows = {row.prerequisite: row for row in outcome.rows}
    assert rows["One Application deploys external-secrets/overlays/emea/ember"].found.startswith("not needed")
    assert not [row for row in outcome.rows if row.status == "failed"]


class TestApplicationsInTheirFolder:
    """No group of Applications between the folder and them, and other names."""

    LAYOUT = Layout(
        applications="apps/{env}-{cluster}",
        application_group="",
        application="eso-{cluster}",
        sibling_application="resources-{cluster}",
    )
    FOLDER = "apps/emea-ember"

    def _files(self) -> dict[str, str | None]:
        old = "argocd/overlays/moc-infra/applications"
        sibling = FILES[f"{old}/envs/emea/ember/cluster-management/cluster-resources.yaml"]
        app_of_apps = f"{old}/app-of-apps/app-of-apps-ember.yaml"
        return {
            f"{self.FOLDER}/kustomization.yaml": "resources:\n  - resources-ember.yaml\n",
            f"{self.FOLDER}/resources-ember.yaml": sibling.replace(
                "name: cluster-resources", "name: resources-ember"
            ),
            app_of_apps: FILES[app_of_apps].replace(f"{old}/envs/emea/ember", self.FOLDER),
        }

    def test_ours_is_added_beside_its_sibling(self) -> None:
        outcome = Outcome(self._files(), self.LAYOUT)
        application = yaml.safe_load(outcome.edits[f"{self.FOLDER}/eso-ember.yaml"].after)
        assert application["metadata"]["name"] == "eso-ember"
        listed = outcome.edits[f"{self.FOLDER}/kustomization.yaml"].after
        assert listed == "resources:\n  - eso-ember.yaml\n  - resources-ember.yaml\n"
        assert not outcome.noted
        assert outcome.second == ()
        assert (outcome.names.resources, outcome.names.operator) == ("resources-ember", "eso-ember")

    def test_all_rows_are_ok_and_none_is_of_a_group(self) -> None:
        rows = rows_of(self._files(), self.LAYOUT)
        assert {row.status for row in rows.values()} == {"ok"}
        assert not [name for name in rows if name.startswith("ArgoCD builds")]

    def test_a_missing_sibling_is_named_as_the_layout_has_it(self) -> None:
        files = {**self._files(), f"{self.FOLDER}/resources-ember.yaml": None}
        row = rows_of(files, self.LAYOUT)["Application of the cluster's resources"]
        assert (row.status, row.found) == ("failed", f"{self.FOLDER}/resources-ember.yaml is not there")


@pytest.mark.parametrize("name", ["nowhere", "flint-2"])
def test_without_environments_an_unknown_cluster_is_told_without_a_word_of_them(name: str) -> None:
    files = {"clusters/ember/kustomization.yaml": "{}", "clusters/flint/kustomization.yaml": "{}"}
    request = REQUEST.model_copy(update={"cluster": name})
    rows = check_repository(FileTree(files), request, Layout(cluster_overlay="clusters/{cluster}"))
    assert rows[0].found == f"no cluster '{name}'; clusters: ember, flint"
