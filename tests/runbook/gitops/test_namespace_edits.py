"""What one more namespace of an enabled cluster changes in the repository."""

from __future__ import annotations

import pytest
import yaml

from runbook.enable_namespace import NamespaceRequest
from runbook.errors import InvalidInput, PrerequisiteMissing
from runbook.gitops import (
    Built,
    EditedTree,
    FileEdit,
    Present,
    StoreSettings,
    Tree,
    meaning_of,
    namespace_edits,
    unmet,
)
from runbook.layout import Layout
from tests.runbook.gitops.conftest import EditsOf
from tests.runbook.gitops.edited import OVERLAY, added_lines

FOLDER = f"{OVERLAY}/secret-mgmt"
ACCOUNT = "vault-secret-fetcher"


@pytest.fixture
def enabled(repository: Tree, edits_of: EditsOf) -> Tree:
    """The repository once `payments` and `web` of `emea/ember` are enabled."""
    return EditedTree(repository, edits_of().values())


def _edits(
    tree: Tree, store: StoreSettings, namespace: str, present: Present | None = None
) -> dict[str, FileEdit]:
    asked = NamespaceRequest(cluster="ember", env="emea", namespaces=(namespace,))
    edits = namespace_edits(tree, asked, Layout(), store, present)
    return {edit.path: edit for edit in edits}


def test_a_namespace_gets_its_folder_upon_the_base_and_a_line(enabled: Tree, store: StoreSettings) -> None:
    edits = _edits(enabled, store, "books")

    folder = yaml.safe_load(edits.pop(f"{FOLDER}/books/kustomization.yaml").after)
    assert (folder["namespace"], folder["resources"]) == ("books", ["../base"])
    assert added_lines(edits.pop(f"{FOLDER}/kustomization.yaml")) == ["  - books"]
    assert not edits


def test_nothing_is_left_to_do_once_it_has_landed(enabled: Tree, store: StoreSettings) -> None:
    edits = _edits(enabled, store, "books")
    landed, meaning = EditedTree(enabled, edits.values()), meaning_of(edits.values())

    assert (_edits(landed, store, "books"), _edits(enabled, store, "web")) == ({}, {})
    assert set(unmet(enabled, meaning)) == set(edits)
    assert unmet(landed, meaning) == {}


def test_the_namespace_of_a_new_cluster_is_the_same_change(
    edits_of: EditsOf, enabled: Tree, store: StoreSettings
) -> None:
    at_once = edits_of(namespaces=("payments", "web", "books"))

    later = EditedTree(enabled, _edits(enabled, store, "books").values())
    assert [later.read(path) for path in at_once] == [edit.after for edit in at_once.values()]


def test_an_account_that_is_there_gets_the_store_alone(enabled: Tree, store: StoreSettings) -> None:
    account = f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {ACCOUNT}\n  namespace: books\n"
    present = Present.in_overlay(Built(OVERLAY, (account,)))

    edits = _edits(enabled, store, "books", present)

    folder = yaml.safe_load(edits[f"{FOLDER}/books/kustomization.yaml"].after)
    assert folder["resources"] == ["opf-vault-store.yaml"]


def test_a_cluster_that_is_not_enabled_is_refused(repository: Tree, store: StoreSettings) -> None:
    with pytest.raises(PrerequisiteMissing, match="the cluster is not enabled"):
        _edits(repository, store, "books")


def test_the_name_of_the_base_is_refused(enabled: Tree, store: StoreSettings) -> None:
    with pytest.raises(InvalidInput, match="has the name of the folder"):
        _edits(enabled, store, "base")
