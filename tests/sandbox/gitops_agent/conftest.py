"""The sandbox's repository in Git, a cluster for it, and an agent between the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.gitops_agent import GitOpsAgent, Options
from sandbox.kubernetes_api import KubernetesApi
from tests.faults.built_once import built_once
from tests.sandbox.gitops_agent.merged_repository import AgentOf, Repository


@pytest.fixture(scope="package", autouse=True)
def _built_once() -> Iterator[None]:
    with built_once():
        yield


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path / "api", controller_delay=0.01) as made:
        yield made


@pytest.fixture
def lines() -> list[str]:
    """What the agent logged."""
    return []


@pytest.fixture
def agent_of(
    tmp_path: Path, repository: Repository, request: pytest.FixtureRequest, lines: list[str]
) -> Iterator[AgentOf]:
    """Makes an agent; by default for emea/ember on the stand-in."""
    made: list[GitOpsAgent] = []

    def make(**changes: Any) -> GitOpsAgent:
        options: dict[str, Any] = {
            "repository": repository.url,
            "branch": "main",
            "environment": "emea",
            "cluster": "ember",
            "state_dir": tmp_path / "agent",
            "operator_delay": 0.0,
            **changes,
        }
        if "kubeconfig" not in options:
            options["kubeconfig"] = request.getfixturevalue("api").admin_kubeconfig
        made.append(GitOpsAgent(Options(**options), lines.append))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
