"""The sandbox's repository as a tree, and the request that enables its `emea/ember`."""

from __future__ import annotations

import functools
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.gitops import FileEdit, FileTree, StoreSettings, Tree, wanted_edits
from runbook.layout import Layout
from runbook.request import EnableRequest
from tests.faults.built_once import built_once

REPOSITORY = Path(__file__).parents[3] / "sandbox" / "repository"

Request = Callable[..., EnableRequest]
Changed = Callable[[Mapping[str, str | None]], FileTree]
EditsOf = Callable[..., dict[str, FileEdit]]


@functools.cache
def _files() -> dict[str, str]:
    paths = (path for path in REPOSITORY.rglob("*") if path.is_file())
    return {str(path.relative_to(REPOSITORY)): path.read_text() for path in paths}


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """The objects that kustomize builds of a folder."""
    done = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "kubectl", "kustomize", folder],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": "", "HOME": "/nonexistent"},
    )
    assert not done.returncode, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def keys_of(objects: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of each."""
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in objects
    }


@pytest.fixture(scope="package", autouse=True)
def _built_once() -> Iterator[None]:
    with built_once():
        yield


@pytest.fixture
def repository() -> FileTree:
    """The sandbox's repository as it is."""
    return FileTree(_files())


@pytest.fixture
def changed() -> Changed:
    """The sandbox's repository with some files replaced, or removed where the text is None."""

    def build(changes: Mapping[str, str | None]) -> FileTree:
        texts = {**_files(), **changes}
        gone = [path for path, text in texts.items() if text is None]
        return FileTree({path: text for path, text in texts.items() if text is not None and path not in gone})

    return build


@pytest.fixture
def request_for() -> Request:
    """A request for `emea/ember` with namespaces payments and web; any parameter may be another."""

    def build(**parameters: object) -> EnableRequest:
        defaults = {
            "env": "emea",
            "cluster": "ember",
            "namespaces": ("payments", "web"),
            "cluster_connection": "ember",
        }
        return EnableRequest.model_validate({**defaults, **parameters})

    return build


@pytest.fixture
def layout() -> Layout:
    return Layout()


@pytest.fixture
def store() -> StoreSettings:
    """A Vault behind its own CA; a cluster that does not know SecretStores yet."""
    return StoreSettings("https://vault.example.com:8200", "-----BEGIN CERTIFICATE-----\n", ())


@pytest.fixture
def edits_of(repository: FileTree, request_for: Request, layout: Layout, store: StoreSettings) -> EditsOf:
    """By path, the edits of the sandbox's repository or another tree; any parameter may be another."""

    def build(
        tree: Tree = repository,
        *,
        layout: Layout = layout,
        store: StoreSettings = store,
        **parameters: object,
    ) -> dict[str, FileEdit]:
        return {edit.path: edit for edit in wanted_edits(tree, request_for(**parameters), layout, store)}

    return build
