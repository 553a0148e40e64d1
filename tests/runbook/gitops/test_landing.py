"""Recognising a change on a base branch: by what it means, whatever way it came and however it is written."""

from __future__ import annotations

import pytest

from runbook.gitops import FileEdit, FileTree, fingerprint, meaning_of, unmet

OVERLAY = "overlays/ember/kustomization.yaml"
STORE = "overlays/ember/secret-mgmt/base/store.yaml"
NAMESPACE = "overlays/ember/secret-mgmt/web/kustomization.yaml"

BEFORE = "resources:\n- ../common\n"
EDITS = (
    FileEdit(OVERLAY, BEFORE, "resources:\n- ../common\n- ../../bundles/eso\n"),
    FileEdit(STORE, None, "kind: SecretStore\nspec: {provider: {vault: {server: https://vault}}}\n"),
    FileEdit(NAMESPACE, None, "namespace: web\nresources:\n- ../base\n"),
)
PROPOSED = {edit.path: edit.after for edit in EDITS}
THERE = {
    "bundles/eso/kustomization.yaml": "resources: []\n",
    "overlays/ember/secret-mgmt/base/kustomization.yaml": "resources: [store.yaml]\n",
}


def found(**changes: str | None) -> dict[str, str]:
    """What is unmet in the proposed files with some replaced; the keys name them."""
    paths = {
        "overlay": OVERLAY,
        "store": STORE,
        "namespace": NAMESPACE,
        "common": "overlays/common/kustomization.yaml",
    }
    files: dict[str, str | None] = {**PROPOSED, **THERE}
    files.update({paths[name]: text for name, text in changes.items()})
    tree = FileTree({path: text for path, text in files.items() if text is not None})
    return unmet(tree, meaning_of(EDITS))


def test_what_was_proposed_is_met_by_itself_and_not_by_what_was_there_before() -> None:
    assert found() == {}
    assert found(overlay=BEFORE, store=None, namespace=None) == {
        OVERLAY: "does not include bundles/eso",
        STORE: "is not there",
        NAMESPACE: "is not there",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"store": "# by hand\nspec:\n  provider: {vault: {server: 'https://vault'}}\nkind: SecretStore\n"},
        {"overlay": "---\nresources:\n    - ../../bundles/eso/\n    - ../common\n    - ./another\n"},
        {"overlay": BEFORE, "common": "resources:\n- ../../bundles/eso\n"},
        {"namespace": "# reordered\nresources: [../base, more.yaml]\nnamespace: web\n"},
        {"namespace": "kind: Kustomization\nnamespace: web\nresources: [../base]\n"},
        {"overlay": "commonLabels: {by: us}\nresources: [../common, ../../bundles/eso]\n"},
    ],
)
def test_another_way_to_write_the_same_is_met(changes: dict[str, str]) -> None:
    assert found(**changes) == {}


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        (
            {"store": "kind: SecretStore\nspec: {provider: {vault: {server: https://other}}}\n"},
            STORE,
            "differs from what was proposed",
        ),
        ({"store": PROPOSED[STORE] + "---\nkind: Secret\n"}, STORE, "differs from what was proposed"),
        ({"store": "{ no yaml"}, STORE, "differs from what was proposed"),
        (
            {"namespace": "namespace: api\nresources: [../base]\n"},
            NAMESPACE,
            "is for the namespace api, not web",
        ),
        (
            {"namespace": "namePrefix: x-\nnamespace: web\nresources: [../base]\npatches: [{path: a}]\n"},
            NAMESPACE,
            "has other settings than proposed: namePrefix, patches",
        ),
        ({"namespace": "namespace: web\n"}, NAMESPACE, "does not include overlays/ember/secret-mgmt/base"),
        ({"overlay": "{ no yaml"}, OVERLAY, "does not include bundles/eso"),
    ],
)
def test_what_means_something_else_is_not_met_and_says_why(
    changes: dict[str, str], path: str, why: str
) -> None:
    assert found(**changes) == {path: why}


def test_the_fingerprint_changes_with_what_is_left_to_do_and_with_nothing_else() -> None:
    one, other = fingerprint(EDITS, {}), fingerprint(EDITS[::-1], {})
    assert one == other
    moved = FileEdit(OVERLAY, BEFORE, "resources:\n- ../common\n- ../more\n- ../../bundles/eso\n")
    assert len({one, fingerprint([moved, *EDITS[1:]], {}), fingerprint(EDITS, {STORE: "is not there"})}) == 3


LIST = """\
kind: ApplicationSet
spec:
  generators:
    - list:
        elements:
          - cluster: flint
"""


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (LIST + "          - cluster: ember\n          - cluster: quartz\n", {}),
        (LIST + "          - {cluster: quartz}\n          - {cluster: ember}\n", {}),
        (LIST + "          - cluster: quartz\n", {"set.yaml": "lacks the proposed element of its list"}),
    ],
)
def test_an_element_of_a_list_is_met_beside_those_that_others_added(there: str, says: dict[str, str]) -> None:
    meaning = meaning_of([FileEdit("set.yaml", LIST, LIST + "          - cluster: ember\n")])
    assert unmet(FileTree({"set.yaml": there}), meaning) == says
