"""On an API server that is no stand-in: only the onboarding, and all of it removed again.

Runs against a real, disposable API server where ``TEST_KUBECONFIG`` names one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.manifests import Identity
from sandbox.gitops_agent.onboarding import CarefulApply, Ledger, clean_up
from sandbox.kubernetes_api import KubernetesApi
from tests.sandbox.gitops_agent.held import WEB, Hold
from tests.sandbox.gitops_agent.merged_repository import AgentOf, Repository

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
def cautious(agent_of: AgentOf, plain: Path) -> Iterator[AgentOf]:
    """An agent that applies only onboardings; what it makes is removed after the test."""
    made = []

    def make(**changes: object) -> object:
        made.append(agent_of(kubeconfig=plain, only_onboarding=True, **changes))
        return made[-1]

    yield make  # type: ignore[misc]
    for agent in made:
        agent.cluster.forget()
        list(clean_up(agent.cluster, agent.ledger))
        assert list(agent.ledger) == []


def test_only_the_objects_of_the_onboarding_are_applied(cautious: AgentOf, repository: Repository) -> None:
    agent = cautious()
    agent.round()
    assert list(agent.ledger) == [], "nothing of the cluster's older objects"
    repository.enable_ember()
    repository.land(agent)
    assert all(message.startswith("synced, ") for message in agent.report.applications.values())
    for identity in (REVIEWER, STARTER, SECRET_STORE):
        assert agent.cluster.get(identity), identity
    assert agent.cluster.get(Identity("v1", "Namespace", "", "web")), "made, since a given object needs it"
    assert agent.cluster.get(Identity("v1", "Namespace", "", "payments")) is None
    assert set(agent.report.left_out) == {
        "OperatorGroup external-secrets-operator/external-secrets-operator",
        "Subscription external-secrets-operator/external-secrets-operator",
    }


def test_what_was_created_is_written_down_and_removed(
    cautious: AgentOf, repository: Repository, tmp_path: Path
) -> None:
    agent = cautious()
    repository.enable_ember()
    repository.land(agent)
    mine = (Identity("v1", "Namespace", "", "web"), REVIEWER, STARTER, SECRET_STORE)
    assert set(mine) <= set(agent.ledger)
    # As another process would, which knows only the directory.
    lines = list(clean_up(agent.cluster, Ledger(tmp_path / "agent" / "created.json")))
    assert "removed SecretStore web/opf-vault-store" in lines
    agent.cluster.forget()
    assert [agent.cluster.get(identity) for identity in mine] == [None] * len(mine)
    assert list(Ledger(tmp_path / "agent" / "created.json")) == []


def test_what_somebody_else_made_is_neither_changed_nor_removed(
    cautious: AgentOf, repository: Repository
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
        repository.land(agent)
        list(clean_up(agent.cluster, agent.ledger))
        found = agent.cluster.get(identity)
        assert found is not None
        assert found["roleRef"]["name"] == "view"
        assert agent.report.left_out[str(identity)] == "was there before us and is left as it is"
    finally:
        agent.cluster.delete(identity)


class SlowClock:
    """A clock that only waiting moves, and what happens when it has come far enough."""

    def __init__(self, then: dict[float, Hold]) -> None:
        self.now = 0.0
        self._then = then

    def sleep(self, _seconds: float) -> None:
        self.now += 10
        for moment in [moment for moment in self._then if moment <= self.now]:
            self._then.pop(moment).release()


@pytest.mark.parametrize(("ends_at", "left"), [(100.0, []), (1000.0, [WEB])])
def test_a_namespace_that_is_terminating_for_minutes_is_waited_for_and_at_last_named(
    tmp_path: Path, ends_at: float, left: list[Identity]
) -> None:
    with KubernetesApi(tmp_path / "plain", openshift=False, controller_delay=0.01) as api:
        hold = Hold(api)
        clock = SlowClock({ends_at: hold})
        with Cluster(api.admin_kubeconfig, clock=lambda: clock.now, sleep=clock.sleep) as cluster:
            ledger = Ledger(tmp_path / "created.json")
            CarefulApply(cluster, ledger, lambda _identity, _why: None)(hold.namespace)
            hold.take()
            lines = list(clean_up(cluster, ledger))
            assert list(Ledger(tmp_path / "created.json")) == left
    outcome = f"still being deleted: {WEB}" if left else f"removed {WEB}"
    assert lines == ["waiting until 1 objects are gone, at most 180 s", outcome]
    assert clock.now > 90
