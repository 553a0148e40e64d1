"""A repository of which not everything is fetched at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from bench.history import commit, file
from runbook.gitops import needed_files
from runbook.layout import Layout
from systems.git_objects import _AT_ONCE, _SINGLE
from systems.gitops import GitOpsClone
from systems.kustomize import Kustomize
from tests.systems.gitops.git_server import KUSTOMIZATION, GitServer
from tests.tasks.conftest import request

OTHERS = "cluster-scope/base/others"
TENANTS = "tenants"
TOP_FOLDERS = ["argocd", "cluster-scope", "external-secrets"]
FETCH = 2
"""Requests of one fetch: what the server can do, and the files."""

BUNDLE = "cluster-scope/bundles/external-secrets-operator"
FAR = {
    f"{BUNDLE}/kustomization.yaml": """\
resources:
  - namespace.yaml
patches:
  - path: patches/labels.yaml
configMapGenerator:
  - name: settings
    files: [settings.ini=settings/far.ini]
generatorOptions:
  disableNameSuffixHash: true
""",
    f"{BUNDLE}/namespace.yaml": """\
apiVersion: v1
kind: Namespace
metadata:
  name: far
""",
    f"{BUNDLE}/patches/labels.yaml": """\
apiVersion: v1
kind: Namespace
metadata:
  name: far
  labels: {patched: "yes"}
""",
    f"{BUNDLE}/settings/far.ini": "answer = 42\n",
}
"""What is built of files in folders below."""


def many_files() -> Iterator[str]:
    yield f"{commit(0, 'Add many')}from refs/heads/main^0\n"
    for number in range(_AT_ONCE):
        yield file(f"{OTHERS}/{number}/configmap.yaml", f"number: {number}\n")
        yield file(f"{TENANTS}/{number}.yaml", f"tenant: {number}\n")
    for path, text in FAR.items():
        yield file(path, text)
    yield file("clusters.yaml", "clusters: []\n")


@pytest.fixture
def large(server: GitServer) -> GitServer:
    server.git("fast-import", "--quiet", stdin="".join(many_files()))
    return server


@pytest.fixture
def clone(large: GitServer) -> Iterator[GitOpsClone]:
    with large.clone(interesting=TOP_FOLDERS) as clone:
        assert clone.tree.is_partial
        yield clone


def fetched(clone: GitOpsClone) -> int:
    """Files whose contents are here."""
    here = clone.tree._objects.repository.git.cat_file("--batch-check", "--batch-all-objects")
    return sum(line.split()[1] == "blob" for line in here.splitlines())


def test_what_a_cluster_is_built_from_comes_in_one_request_and_nothing_else(
    large: GitServer, clone: GitOpsClone
) -> None:
    opened = len(large.requests)
    clone.tree.prefetch(needed_files(clone.tree, request(), Layout()))
    asked = len(large.requests)
    assert asked - opened == FETCH
    assert clone.tree.read(KUSTOMIZATION)
    assert clone.tree.read(f"{BUNDLE}/kustomization.yaml")
    assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
    assert len(large.requests) == asked
    assert fetched(clone) < _AT_ONCE, "the files of others were fetched"


def test_patches_and_files_of_folders_below_come_in_one_request_and_nothing_else(
    large: GitServer, clone: GitOpsClone
) -> None:
    opened = len(large.requests)
    with Kustomize() as kustomize:
        [built] = kustomize.build(clone.tree, BUNDLE)
    kinds = {document["kind"]: document for document in map(yaml.safe_load, built.documents)}
    assert kinds["Namespace"]["metadata"]["labels"] == {"patched": "yes"}
    assert kinds["ConfigMap"]["data"] == {"settings.ini": "answer = 42\n"}
    assert len(large.requests) - opened == FETCH
    assert fetched(clone) < _AT_ONCE, "the files of others were fetched"


def test_what_is_read_all_the_same_comes_with_the_files_beside_it(
    large: GitServer, clone: GitOpsClone
) -> None:
    opened, before = len(large.requests), fetched(clone)
    for number in (0, _AT_ONCE - 1):
        assert clone.tree.read(f"{OTHERS}/{number}/configmap.yaml") == f"number: {number}\n"
    assert len(large.requests) - opened == 2 * FETCH
    assert fetched(clone) == before + 2


def test_many_that_are_read_all_the_same_are_not_fetched_one_by_one(
    large: GitServer, clone: GitOpsClone
) -> None:
    opened = len(large.requests)
    for number in range(_AT_ONCE):
        assert clone.tree.read(f"{OTHERS}/{number}/configmap.yaml") == f"number: {number}\n"
    assert len(large.requests) - opened == (_SINGLE + 1) * FETCH


def test_a_file_at_the_top_comes_without_all_that_is_below(large: GitServer) -> None:
    with large.clone(interesting=["external-secrets"]) as clone:
        assert not clone.tree.is_partial
        assert clone.tree.read("clusters.yaml") == "clusters: []\n"
        assert fetched(clone) < _AT_ONCE, "the files of others were fetched"


def test_a_file_that_is_only_looked_for_is_not_fetched(large: GitServer, clone: GitOpsClone) -> None:
    opened = len(large.requests)
    assert clone.tree.has(f"{TENANTS}/0.yaml")
    assert not clone.tree.has(f"{TENANTS}/{_AT_ONCE}.yaml")
    assert not clone.tree.has(TENANTS)
    assert len(large.requests) == opened
