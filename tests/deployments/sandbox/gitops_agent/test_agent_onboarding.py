"""On an API server that is no stand-in: only the onboarding, and all of it removed again.

Runs against a real, disposable API server where ``TEST_KUBECONFIG`` names one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.sandbox.gitops_agent.manifests import Identity
from deployments.sandbox.gitops_agent.onboarding import Ledger, clean_up
from deployments.sandbox.kubernetes_api import KubernetesApi
from tests.deployments.sandbox.gitops_agent.merged_repository import AgentOf, Repository

REVIEWER = Identity("v1", "ServiceAccount", "external-secrets-operator", "eso-vault-auth")
SECRET_STORE = Identity("external-secrets.io/v1", "SecretStore", "web", "opf-vault-store")
STARTER = Identity("v1", "ServiceAccount", "web", "vault-secret-fetcher")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Path]:
    """Kubeconfig of a Kubernetes that is not OpenShift."""
    if "TEST_KUBECONFIG" in os.environ:
        yield Path(os.environ["TEST_KUBECONFIG"])
        return
    with KubernetesApi(tmp_path / "plain", openshift=False, controller_delay=0.01) as api:
        yield api.admin_kubeconfig


@pytest.fixture
def cautious(agent_of: AgentOf, plain: Path, lines: list[str]) -> Iterator[AgentOf]:
    """An agent that applies only onboardings; what it makes is removed after the test."""
    made = []

    def make(**changes: object) -> object:
        made.append(agent_of(kubeconfig=plain, only_onboarding=True, **changes))
        return made[-1]

    yield make  # type: ignore[misc]
    for agent in made:
        agent.cluster.forget()
        assert clean_up(agent.cluster, agent.ledger, lines.append) == []


def test_only_the_objects_of_the_onboarding_are_applied(cautious: AgentOf, repository: Repository) -> None:
    agent = cautious()
    agent.round()
    assert agent.report.left_behind == [], "nothing of the cluster's older objects"
    repository.enable_ember()
    repository.commit("Enable ember")
    for _ in range(3):
        agent.round()
    assert all(message.startswith("synced, ") for message in agent.report.applications.values())
    for identity in (REVIEWER, STARTER, SECRET_STORE):
        assert agent.cluster.get(identity), identity
    assert agent.cluster.get(Identity("v1", "Namespace", "", "web")), "made, since a given object needs it"
    assert agent.cluster.get(Identity("v1", "Namespace", "", "payments")) is None
    assert set(agent.report.left_out) == {
        "OperatorGroup external-secrets-operator/external-secrets-operator",
        "Subscription external-secrets-operator/external-secrets-operator",
    }


def test_what_was_created_is_listed_and_removed(
    cautious: AgentOf, repository: Repository, tmp_path: Path, lines: list[str]
) -> None:
    agent = cautious()
    repository.enable_ember()
    repository.commit("Enable ember")
    for _ in range(3):
        agent.round()
    report = json.loads((tmp_path / "agent" / "report.json").read_text())
    assert report["left_behind"] == [str(identity) for identity in agent.ledger]
    assert {"Namespace web", str(REVIEWER), str(SECRET_STORE)} <= set(report["left_behind"])
    # As another process would, which knows only the directory.
    ledger = Ledger(tmp_path / "agent" / "created.json")
    assert clean_up(agent.cluster, ledger, lines.append) == []
    for identity in (REVIEWER, STARTER, SECRET_STORE, Identity("v1", "Namespace", "", "web")):
        agent.cluster.forget()
        assert agent.cluster.get(identity) is None, identity
    assert list(Ledger(tmp_path / "agent" / "created.json")) == []


def test_what_somebody_else_made_is_neither_changed_nor_removed(
    cautious: AgentOf, repository: Repository, lines: list[str]
) -> None:
    agent = cautious()
    theirs = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "eso-tokenreview", "labels": {"owner": "somebody"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [],
    }
    agent.cluster.apply(theirs, force=False)
    identity = Identity.of(theirs)
    try:
        repository.enable_ember()
        repository.commit("Enable ember")
        for _ in range(3):
            agent.round()
        assert clean_up(agent.cluster, agent.ledger, lines.append) == []
        found = agent.cluster.get(identity)
        assert found is not None
        assert found["roleRef"]["name"] == "view"
        assert agent.report.left_out[str(identity)] == "was there before us and is left as it is"
    finally:
        agent.cluster.delete(identity)
