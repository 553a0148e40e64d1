"""The Application that deploys the operator's overlay: made like its sibling, and never twice."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml

from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops import FileTree
from tests.runbook.gitops.conftest import Changed, EditsOf
from tests.runbook.gitops.edited import APPLICATIONS, OPERATOR


class TestApplication:
    """Our Application is deployed the way its sibling is."""

    def test_takes_destination_project_source_and_a_policy_that_is_commented_out(
        self, repository: FileTree, edits_of: EditsOf
    ) -> None:
        text = edits_of()[f"{APPLICATIONS}/external-secrets.yaml"].after

        assert yaml.safe_load(text) == {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "external-secrets"},
            "spec": {
                "destination": {"name": "ember", "namespace": "external-secrets-operator"},
                "project": "cluster-management",
                "source": {
                    "path": OPERATOR,
                    "repoURL": "https://git.example.com/platform/gitops.git",
                    "targetRevision": "HEAD",
                },
            },
        }
        sibling = repository.read(f"{APPLICATIONS}/cluster-resources.yaml")
        assert sibling is not None
        comments = [line for line in sibling.splitlines() if "#" in line]
        assert [line for line in text.splitlines() if "#" in line] == comments != []

    def test_takes_what_is_not_the_default(self, changed: Changed, edits_of: EditsOf) -> None:
        sibling = """\
kind: Application
metadata:
    name: cluster-resources-ember
    namespace: gitops
spec:
    destination:
        server: https://api.ember.example.com:6443
        namespace: x
    project: "123"
    source:
        path: cluster-scope/overlays/prod/emea/ember
        repoURL: https://git.example.com/other.git
        targetRevision: release-2
    syncPolicy:
        automated:
            prune: true

        syncOptions:
        - Validate=false
    revisionHistoryLimit: 3
"""
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": sibling})

        text = edits_of(tree)[f"{APPLICATIONS}/external-secrets.yaml"].after

        ours = yaml.safe_load(text)
        assert ours["metadata"] == {"name": "external-secrets-ember", "namespace": "gitops"}
        assert ours["spec"] == {
            "destination": {
                "server": "https://api.ember.example.com:6443",
                "namespace": "external-secrets-operator",
            },
            "project": "123",
            "source": {
                "path": OPERATOR,
                "repoURL": "https://git.example.com/other.git",
                "targetRevision": "release-2",
            },
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["Validate=false"]},
        }

    def _with_policy(self, changed: Changed, policy: str) -> FileTree:
        path = f"{APPLICATIONS}/cluster-resources.yaml"
        sibling = changed({}).read(path)
        return changed({path: f"# syncPolicy: an older one\n{sibling}  {policy}\n"})

    def test_takes_a_policy_on_one_line(self, changed: Changed, edits_of: EditsOf) -> None:
        tree = self._with_policy(changed, "syncPolicy: {automated: {}}")

        edits = edits_of(tree)

        ours = yaml.safe_load(edits[f"{APPLICATIONS}/external-secrets.yaml"].after)
        assert ours["spec"]["syncPolicy"] == {"automated": {}}

    @pytest.mark.parametrize(
        "policy",
        [
            "syncPolicy:\n    automated: {prune: true,\n  selfHeal: true}",
            '"syncPolicy": {automated: {prune: true, selfHeal: true}}',
        ],
    )
    def test_writes_a_policy_anew_that_cannot_be_carried_over(
        self, changed: Changed, policy: str, edits_of: EditsOf
    ) -> None:
        tree = self._with_policy(changed, policy)

        edits = edits_of(tree)

        ours = yaml.safe_load(edits[f"{APPLICATIONS}/external-secrets.yaml"].after)
        assert ours["spec"]["syncPolicy"] == {"automated": {"prune": True, "selfHeal": True}}

    @pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps], ids=["YAML", "JSON"])
    def test_takes_the_source_of_the_clusters_resources_among_several(
        self, changed: Changed, write: Callable[[object], str], edits_of: EditsOf
    ) -> None:
        path = f"{APPLICATIONS}/cluster-resources.yaml"
        sibling = yaml.safe_load(changed({}).read(path) or "")
        chart = {"chart": "x", "repoURL": "https://charts.example.com", "targetRevision": "1"}
        sibling["spec"]["sources"] = [chart, sibling["spec"].pop("source")]
        sibling["spec"]["syncPolicy"] = {"automated": {}}
        tree = changed({path: write({"kind": "List", "items": [sibling]})})

        edits = edits_of(tree)

        ours = yaml.safe_load(edits[f"{APPLICATIONS}/external-secrets.yaml"].after)
        assert ours["spec"]["source"]["repoURL"] == "https://git.example.com/platform/gitops.git"
        assert ours["spec"]["syncPolicy"] == {"automated": {}}

    def test_of_another_folder_in_the_way_is_a_conflict(self, changed: Changed, edits_of: EditsOf) -> None:
        tree = changed({f"{APPLICATIONS}/external-secrets.yaml": "kind: ConfigMap\n"})

        with pytest.raises(Conflict, match="is not an Application of"):
            edits_of(tree)

    def test_without_its_sibling_is_refused(self, changed: Changed, edits_of: EditsOf) -> None:
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": None})

        with pytest.raises(PrerequisiteMissing, match=r"cluster-resources\.yaml"):
            edits_of(tree)

    def test_with_a_sibling_of_no_source_is_refused(self, changed: Changed, edits_of: EditsOf) -> None:
        sibling = "kind: Application\nmetadata: {name: a}\nspec: {destination: {name: a}, sources: []}\n"
        tree = changed({f"{APPLICATIONS}/cluster-resources.yaml": sibling})

        with pytest.raises(PrerequisiteMissing, match="has no Application that deploys"):
            edits_of(tree)
