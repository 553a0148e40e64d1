"""After the merge: what the cluster still lacks, and which Application brings it, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.application_names import ApplicationNames
from runbook.conventions import RUNBOOK
from runbook.errors import AccessDenied
from runbook.request import EnableRequest
from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.manifests import Identity
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.kubernetes_api import KubernetesApi
from systems.openshift import OpenShift
from tasks.wait_until_synced import Wanted, wanted
from tests.eventually import eventually
from tests.kubernetes_objects import DELEGATION, ESO, TOKEN_SECRET
from tests.rights import account_kubeconfig
from tests.tasks.conftest import request as make

APPLICATIONS = ApplicationNames(
    "apps-of-ember", "resources-osc", "external-secrets-osc", "bundle-osc", "namespace-osc"
)
RESOURCES = APPLICATIONS.resources
EXTERNAL = "external-secrets-osc (apps-of-ember makes it)"


def manifest(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


class Site:
    """A cluster to which a test brings objects, and what it still lacks then."""

    def __init__(self, argocd: Cluster, openshift: OpenShift) -> None:
        self._argocd = argocd
        self._openshift = openshift

    def bring(self, *manifests: dict[str, Any]) -> None:
        for one in manifests:
            self._argocd.apply(one, force=True)
        self._argocd.forget()

    def take(self, one: dict[str, Any]) -> None:
        self._argocd.delete(Identity.of(one))

    def lacks(self, request: EnableRequest) -> list[Wanted]:
        versions = self._openshift.served_versions(RUNBOOK.store.crd)
        every = wanted(self._openshift, request, APPLICATIONS, versions)
        return [one for one in every if not one.there]

    def lacks_once(self, request: EnableRequest, done: Callable[[list[Wanted]], bool]) -> list[Wanted]:
        """The same, as soon as the cluster's controllers have done their part."""
        eventually(lambda: done(self.lacks(request)), lambda: self.lacks(request))
        return self.lacks(request)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        KubernetesApi(state_dir=tmp_path, port=0, controller_delay=0) as api,
        Cluster(Path(api.admin_kubeconfig)) as argocd,
        OpenShift(yaml.safe_load(Path(api.admin_kubeconfig).read_text())) as openshift,
    ):
        yield Site(argocd, openshift)


def next_to_sync(found: list[Wanted]) -> tuple[str, str]:
    return found[0].what, found[0].application


def test_the_next_application_is_named_in_order_at_each_stage(site: Site) -> None:
    request = make(namespaces=("payments",))
    everything_first = "apps-of-ember, then namespace-osc"
    assert next_to_sync(site.lacks(request)) == (f"namespace {ESO}", everything_first)

    site.bring(manifest("Namespace", ESO))
    found = site.lacks(request)
    assert found[0].what.startswith("CRD secretstores.external-secrets.io")
    assert [one.application for one in found] == [
        "bundle-osc",
        RESOURCES,
        "namespace-osc",
        EXTERNAL,
        EXTERNAL,
    ]

    site.bring(*definitions(("v1",)))
    found = site.lacks_once(request, lambda found: not found[0].what.startswith("CRD"))
    assert next_to_sync(found) == ("namespace payments", RESOURCES)

    site.bring(manifest("Namespace", "payments"))
    assert next_to_sync(site.lacks(request)) == ("ServiceAccount payments/vault-secret-fetcher", RESOURCES)

    site.bring(manifest("ServiceAccount", "vault-secret-fetcher", "payments"))
    delegation = f"ClusterRoleBinding of {ESO}/eso-vault-auth to system:auth-delegator"
    assert next_to_sync(site.lacks(request)) == (delegation, "namespace-osc")

    site.bring(DELEGATION)
    token = Wanted(f"token in Secret {ESO}/eso-vault-auth-token", EXTERNAL, there=False)
    assert site.lacks(request) == [
        Wanted(f"ServiceAccount {ESO}/eso-vault-auth", EXTERNAL, there=False),
        token,
    ]

    site.bring(manifest("ServiceAccount", "eso-vault-auth", ESO))
    assert site.lacks(request) == [token]
    assert site.lacks(make(namespaces=("payments",), reviewer_token="token-request")) == []

    site.bring(TOKEN_SECRET)
    assert site.lacks_once(request, lambda found: not found) == []

    # A reviewer that may not review: everything is there, and every login would be refused.
    site.take(DELEGATION)
    assert site.lacks(request) == [Wanted(delegation, "namespace-osc", there=False)]


def test_each_namespace_without_its_service_account_is_named(site: Site) -> None:
    site.bring(manifest("Namespace", ESO), manifest("Namespace", "payments"), manifest("Namespace", "web"))
    site.bring(manifest("ServiceAccount", "vault-secret-fetcher", "web"))
    lacking = [one.what for one in site.lacks(make(namespaces=("payments", "web")))]
    assert "ServiceAccount payments/vault-secret-fetcher" in lacking
    assert "ServiceAccount web/vault-secret-fetcher" not in lacking


def test_no_right_in_a_namespace_that_is_not_there_is_no_fault_of_the_account(tmp_path: Path) -> None:
    request = make(namespaces=("payments",))
    with KubernetesApi(state_dir=tmp_path, port=0, controller_delay=0) as api:
        kubeconfig = account_kubeconfig(api.admin_kubeconfig)
        with Cluster(Path(api.admin_kubeconfig)) as argocd, OpenShift(yaml.safe_load(kubeconfig)) as narrow:
            site = Site(argocd, narrow)
            argocd.delete(Identity.of(manifest("Namespace", "payments")))
            site.bring(manifest("Namespace", ESO), *definitions(("v1",)))
            found = site.lacks_once(request, lambda found: not found[0].what.startswith("CRD"))
            assert next_to_sync(found) == ("namespace payments", RESOURCES)

            site.bring(manifest("Namespace", "payments"))
            with pytest.raises(AccessDenied, match="vault-secret-fetcher"):
                site.lacks(request)
