"""A repository of which not everything is fetched at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.history import commit, file
from runbook.gitops import needed_files
from runbook.layout import Layout
from systems.git_objects import _AT_ONCE
from tests.systems.gitops.git_server import KUSTOMIZATION, GitServer
from tests.tasks.conftest import request

OTHERS = "cluster-scope/base/others"
TOP_FOLDERS = ["argocd", "cluster-scope", "external-secrets"]


def many_files() -> Iterator[str]:
    yield f"{commit(0, 'Add many')}from refs/heads/main^0\n"
    for number in range(_AT_ONCE):
        yield file(f"{OTHERS}/{number}/configmap.yaml", f"number: {number}\n")


@pytest.fixture
def large(server: GitServer) -> GitServer:
    server.git("fast-import", "--quiet", stdin="".join(many_files()))
    return server


def test_what_a_cluster_is_built_from_comes_in_one_request_and_nothing_else(large: GitServer) -> None:
    with large.clone(interesting=TOP_FOLDERS) as clone:
        assert clone.tree.is_partial
        opened = len(large.requests)
        clone.tree.prefetch(needed_files(clone.tree, request(), Layout()))
        fetched = len(large.requests)
        assert fetched - opened == 2, "a fetch: what the server can do, and the files"
        assert clone.tree.read(KUSTOMIZATION)
        assert clone.tree.read("cluster-scope/bundles/external-secrets-operator/kustomization.yaml")
        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        assert len(large.requests) == fetched
        assert clone.tree.is_partial, "the files of others were not fetched"


def test_what_is_read_all_the_same_comes_with_all_others_in_one_request(large: GitServer) -> None:
    with large.clone(interesting=TOP_FOLDERS) as clone:
        opened = len(large.requests)
        for number in (0, _AT_ONCE - 1):
            assert clone.tree.read(f"{OTHERS}/{number}/configmap.yaml") == f"number: {number}\n"
        assert clone.tree.read("external-secrets/base/serviceaccount.yaml")
        assert len(large.requests) - opened == 2
        assert not clone.tree.is_partial
