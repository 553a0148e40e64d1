"""The sandbox's repository as a tree, and the request that enables its `emea/ember`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runbook.gitops import FileTree, StoreSettings
from runbook.layout import Layout
from runbook.request import EnableRequest

REPOSITORY = Path(__file__).parents[3] / "deployments" / "sandbox" / "repository"

Request = Callable[..., EnableRequest]
Changed = Callable[[Mapping[str, str | None]], FileTree]


@functools.cache
def _files() -> dict[str, str]:
    paths = (path for path in REPOSITORY.rglob("*") if path.is_file())
    return {str(path.relative_to(REPOSITORY)): path.read_text() for path in paths}


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
