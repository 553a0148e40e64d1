"""A stand-in that each test finds fresh, filled from one small repository, and a developer's clone of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.github_api import GitHubApi
from tests.github_checkout import USERS, Caller, Checkout, seed


@pytest.fixture(scope="session")
def gitops_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed(tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="session")
def shared_github(tmp_path_factory: pytest.TempPathFactory, gitops_seed: Path) -> Iterator[GitHubApi]:
    folder = tmp_path_factory.mktemp("github")
    with GitHubApi(folder, {"sandbox/gitops": gitops_seed}, USERS, fork_seconds=0) as running:
        yield running


@pytest.fixture
def github(shared_github: GitHubApi) -> GitHubApi:
    shared_github.reset()
    return shared_github


@pytest.fixture
def pipeline(github: GitHubApi) -> Caller:
    return Caller(github, "pipeline")


@pytest.fixture
def reviewer(github: GitHubApi) -> Caller:
    return Caller(github, "reviewer")


@pytest.fixture
def checkout(github: GitHubApi, tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path, token=github.token_of("pipeline"))
    return made.clone(github.clone_url("sandbox/gitops"))
