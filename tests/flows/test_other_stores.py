"""Whole runs for organisations that have another kind of store than a SecretStore of the run's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.traffic import Traffic
from deployments.openshift.account import account_manifests
from flows.diagnose_cluster import diagnose_cluster
from flows.enable_namespace import enable_namespace
from runbook.conventions import Conventions
from runbook.store import Store
from sandbox.cluster_account import ClusterAccount
from tests.kubernetes_objects import Cluster
from tests.operator_by_hand import NOT_VALID, VALID, Operator
from tests.run import Run, enable
from tests.world import World

STORES = "/apis/external-secrets.io/v1/clustersecretstores/opf-vault-store"
ROLE = "auth/ember-k8s/role/emea-ops"

COMPONENT = """\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata:
  name: opf-vault-store
  annotations: {argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true}
spec:
  provider:
    vault:
      auth:
        kubernetes:
          mountPath: UPDATE IN OVERLAY
          role: emea-ops
          secretRef: {name: fetcher, key: token}
      path: k8s_secrets
      server: SERVER
      version: v2
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: vault-secret-fetcher}
---
apiVersion: v1
kind: Secret
metadata:
  name: fetcher
  annotations: {kubernetes.io/service-account.name: vault-secret-fetcher}
type: kubernetes.io/service-account-token
"""


def described(world: World, **store: Any) -> str:
    """The name of a saved description."""
    return world.describe(Conventions(store=Store(**store)))


async def ended(run: Run) -> str:
    """The report of a run that goes on."""
    await run.resume()
    assert await run.go() == "Completed", run.error
    artifacts = await run.artifacts()
    return str(next(data for key, data in artifacts.items() if key.startswith("report-")))


@pytest.mark.long
async def test_a_cluster_reads_through_one_cluster_secret_store_and_a_namespace_more_is_opened_to_it(
    world: World,
) -> None:
    conventions = described(world, kind="ClusterSecretStore")
    # With the printed rights alone.
    names = Conventions(store=Store(kind="ClusterSecretStore"))
    manifests = yaml.safe_dump_all(account_manifests(["payments", "web"], conventions=names))
    account = ClusterAccount(Path(world.kubernetes.admin_kubeconfig), manifests)
    account.create()
    world.connect(cluster__kubeconfig=account.kubeconfig("ember"))
    cluster = Cluster(world.kubernetes)
    run = await enable(world, namespaces=["payments"], conventions=conventions)
    assert await run.go() == "Suspended", run.error
    world.merge()
    world.sync()
    Operator(cluster, {}).judge("", VALID)
    report = await ended(run)

    assert report.startswith("# emea/ember reads its secrets from Vault\n")
    assert "external-secrets-operator/vault-secret-fetcher logs in at ember-k8s with role emea-ops" in report
    assert report.count(" logs in at ") == 1
    assert "- ClusterSecretStore opf-vault-store is Ready: store validated" in report
    assert "    kind: ClusterSecretStore\n" in report
    role = world.vault.request("GET", ROLE)["data"]
    assert role["bound_service_account_namespaces"] == ["external-secrets-operator"]
    spec = cluster.send("GET", STORES)["spec"]
    assert spec["conditions"] == [{"namespaces": ["payments"]}]
    reference = spec["provider"]["vault"]["auth"]["kubernetes"]["serviceAccountRef"]
    assert reference == {"name": "vault-secret-fetcher", "namespace": "external-secrets-operator"}

    traffic = Traffic(world)
    again = await enable(world, namespaces=["payments"], conventions=conventions)
    assert await again.go() == "Completed", again.error
    assert traffic.writes() == []

    aside = {"namespaces", "token_ttl"}
    parameters = {name: value for name, value in world.parameters.items() if name not in aside}
    more = await Run.create(enable_namespace, {**parameters, "namespace": "web", "conventions": conventions})
    assert await more.go() == "Suspended", more.error
    (pull,) = world.pulls("open")
    assert (
        "Opens the ClusterSecretStore `opf-vault-store` of `emea/ember` to the namespace `web`"
        in pull["body"]
    )
    world.merge()
    await more.resume()
    assert await more.go() == "Failed", "nothing of it is on the cluster yet"
    assert "still lacks ClusterSecretStore opf-vault-store that is open to web" in str(more.error)
    world.sync()
    assert await more.again() == "Completed", more.error
    assert cluster.send("GET", STORES)["spec"]["conditions"] == [{"namespaces": ["payments", "web"]}]
    found = str((await more.artifacts())["report-namespace-emea-ember-web"])
    assert f"- `{ROLE}`" in found.partition("## Found as wanted")[2].partition("##")[0]

    looks = {name: parameters[name] for name in ("cluster", "env", "vault", "cluster_connection")}
    looks |= {"namespaces": ["payments", "web"], "conventions": conventions}
    Operator(cluster, {}).bring_secret("web", "books", "opf-vault-store", NOT_VALID, "ClusterSecretStore")
    diagnosis = await Run.create(diagnose_cluster, looks)
    assert await diagnosis.go() == "Completed", diagnosis.error
    page = str((await diagnosis.artifacts())["diagnosis-emea-ember"])
    assert "Is ClusterSecretStore opf-vault-store Ready?** yes: store validated" in page
    assert "ExternalSecret web/books: is not synced" in page
    cluster.close()


@pytest.mark.long
async def test_namespaces_build_upon_a_component_and_are_led_to_the_mount_of_their_cluster(
    world: World, tmp_path: Path
) -> None:
    component = "cluster-scope/components/vault-store"
    people = world.clone(tmp_path)
    (people.folder / component).mkdir(parents=True)
    (people.folder / component / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [all.yaml]\n"
    )
    (people.folder / component / "all.yaml").write_text(COMPONENT.replace("SERVER", world.vault.address))
    people.commit("Bring what all namespaces use")
    people.git("push", "--quiet", "origin", "main")
    world.connect(vault__ca_cert_for_clusters="")
    run = await enable(world, conventions=described(world, component=component))
    assert await run.go() == "Suspended", run.error
    preflight = str((await run.artifacts())["preflight-emea-ember"])
    assert (
        "not checked" not in preflight.partition("SecretStores opf-vault-store point to our Vault")[2][:200]
    )
    world.merge()
    world.sync()
    cluster = Cluster(world.kubernetes)
    for namespace in ("payments", "web"):
        Operator(cluster, {}).judge(namespace, VALID)
    cluster.close()
    report = await ended(run)
    assert report.startswith("# emea/ember reads its secrets from Vault\n")
    assert "web/vault-secret-fetcher logs in at ember-k8s with role emea-ops" in report
    assert report.count("store validated") == 2
    assert report.count("; whose token Secret fetcher has was not checked") == 2
