"""The pipeline's account on a cluster: what the command prints is enough, is narrow, and is all needed."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from connections import ClusterConnection
from deployments.openshift.account import account_manifests
from deployments.sandbox.environment import CHECKOUT, clean_environment
from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.manifests import Identity
from deployments.sandbox.kubernetes_api import KubernetesApi
from runbook.errors import PrerequisiteMissing
from runbook.request import EnableRequest, ReviewerToken
from systems.openshift import Access, OpenShift
from tasks.preflight.openshift import FURTHER_RIGHTS, RIGHTS, ask_cluster
from tasks.preflight.table import Table
from tests.rights import cluster_account
from tests.tasks.conftest import request as make

MODES: tuple[ReviewerToken, ReviewerToken] = ("secret", "token-request")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path_factory.mktemp("kubernetes"), cluster_name="ember") as server:
        yield server


@pytest.fixture(scope="module")
def kubeconfig(api: KubernetesApi) -> str:
    """Of the account, with the rights for both modes."""
    account = cluster_account(api.admin_kubeconfig)
    account.create()
    return account.kubeconfig("ember")


def asked(kubeconfig: str, request: EnableRequest) -> Table:
    """What preflight finds on the cluster."""
    with ExitStack() as stack:
        connection = ClusterConnection.model_validate({"kubeconfig": kubeconfig})
        return ask_cluster(connection, request, stack).table


def found(table: Table, prerequisite: str) -> str:
    (row,) = (row for row in table.rows if row.prerequisite == prerequisite)
    return "" if row.status == "ok" else row.found


@pytest.mark.parametrize("mode", MODES)
def test_the_printed_rights_are_enough(mode: ReviewerToken, kubeconfig: str) -> None:
    table = asked(kubeconfig, make(reviewer_token=mode))
    assert table.errors == {}
    assert found(table, RIGHTS) == found(table, FURTHER_RIGHTS) == ""


def test_every_question_of_a_run_is_answered(kubeconfig: str) -> None:
    reviews = Access("create", "tokenreviews", "authentication.k8s.io")
    eso = "external-secrets-operator"
    with OpenShift(yaml.safe_load(kubeconfig)) as pipeline:
        # None or False is an answer; whoever may not ask gets an AccessDenied, or None where False is meant.
        assert pipeline.service_account_can(eso, "eso-vault-auth", reviews) is False
        assert pipeline.operator_running() is False
        assert pipeline.namespace_exists("payments")
        assert pipeline.service_account_uid(eso, "eso-vault-auth") is None
        assert pipeline.service_account_uid("payments", "vault-secret-fetcher") is None
        assert pipeline.token_secret(eso, "eso-vault-auth-token") is None
        assert pipeline.served_versions("secretstores.external-secrets.io") == ()
        assert pipeline.secret_store("payments", "opf-vault-store", "v1") is None
        assert pipeline.infrastructure() is not None
        assert pipeline.ingress_domain() is not None
        # The right is there, the ServiceAccount is not.
        with pytest.raises(PrerequisiteMissing):
            pipeline.request_token("payments", "vault-secret-fetcher", 600)


def every_rule() -> Iterator[Any]:
    """Each rule of each role that the command prints, of the second mode those that the first has not."""
    seen = []
    for mode in MODES:
        for parameters in rules_of(mode):
            _, manifest, number = parameters.values
            rule = (manifest["metadata"], manifest["rules"][number])
            if rule not in seen:
                seen.append(rule)
                yield parameters


def rules_of(mode: ReviewerToken) -> Iterator[Any]:
    for manifest in account_manifests(["payments", "web"], reviewer_tokens=[mode]):
        for number, rule in enumerate(manifest.get("rules", ())):
            where = manifest["metadata"].get("namespace", "cluster-wide")
            what = f"{rule['verbs'][0]} {rule['resources'][0]}"
            yield pytest.param(mode, manifest, number, id=f"{mode}: {what} {where}")


@pytest.mark.long
@pytest.mark.parametrize(("mode", "manifest", "number"), every_rule())
def test_a_rule_that_is_taken_away_is_named(
    mode: ReviewerToken, manifest: dict[str, Any], number: int, api: KubernetesApi, kubeconfig: str
) -> None:
    reduced = copy.deepcopy(manifest)
    rule = reduced["rules"].pop(number)
    with Cluster(Path(api.admin_kubeconfig)) as cluster:
        cluster.apply(reduced, force=True)
        try:
            table = asked(kubeconfig, make(reviewer_token=mode))
        finally:
            cluster.apply(manifest, force=True)
    said = found(table, RIGHTS) + found(table, FURTHER_RIGHTS)
    group = f".{rule['apiGroups'][0]}" if rule["apiGroups"][0] else ""
    resource, _, subresource = rule["resources"][0].partition("/")
    words = f"{rule['verbs'][0]} {resource}{group}{'/' if subresource else ''}{subresource}"
    namespace = manifest["metadata"].get("namespace")
    for name in rule.get("resourceNames", [""]):
        assert f"{words} {name}".rstrip() in said
    assert not namespace or f"in namespace {namespace}" in said
    # Nothing else is missing for it.
    assert said.count("in namespace web") in {0, 1}


def test_the_account_may_not_do_anything_else(api: KubernetesApi) -> None:
    forbidden = (
        Access("get", "secrets", namespace="payments", name="database"),
        Access("get", "secrets", namespace="external-secrets-operator", name="other"),
        Access("list", "secrets"),
        Access("list", "secrets", namespace="external-secrets-operator"),
        Access("create", "serviceaccounts", namespace="kube-system", name="default", subresource="token"),
        Access("create", "serviceaccounts", namespace="payments", name="default", subresource="token"),
        # The starter ServiceAccount's name in a namespace that was not named.
        Access(
            "create", "serviceaccounts", namespace="other", name="vault-secret-fetcher", subresource="token"
        ),
        Access("create", "serviceaccounts", namespace="payments"),
        Access("update", "namespaces", name="payments"),
        Access("list", "namespaces"),
        Access("get", "secretstores", "external-secrets.io", "payments", "of-somebody-else"),
        Access("list", "events", namespace="kube-system"),
        Access("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
        Access("create", "tokenreviews", "authentication.k8s.io"),
        Access("create", "pods", namespace="payments"),
        Access("impersonate", "users", name="admin"),
    )
    account = cluster_account(api.admin_kubeconfig, ["secret"])
    account.create()
    with OpenShift(yaml.safe_load(account.kubeconfig("ember"))) as pipeline:
        assert pipeline.denied(forbidden) == forbidden


def test_a_mode_has_no_right_of_the_other_mode() -> None:
    secret, requested = (yaml.safe_dump(account_manifests(["web"], reviewer_tokens=[mode])) for mode in MODES)
    assert "resources:\n    - secrets\n" in secret
    assert "resources:\n    - secrets\n" not in requested


def test_the_command_says_how_it_was_called_and_what_is_wrong(tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deployments.openshift.account", *arguments],
            cwd=CHECKOUT,
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )

    printed = command("web", "--service-account", "fetcher")
    assert "# python -m deployments.openshift.account web --service-account fetcher\n" in printed.stdout
    wanted = account_manifests(["web"], "fetcher")
    assert list(yaml.safe_load_all(printed.stdout)) == wanted
    wrong = command("web", "pay*")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "namespaces='pay*': is a wildcard" in wrong.stderr


def test_removing_the_account_leaves_nothing_of_it(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path / "kubernetes") as api:
        account = cluster_account(api.admin_kubeconfig)
        account.create()
        second = cluster_account(api.admin_kubeconfig)
        second.create()
        assert second.remove() == [], "what was there before is not removed"
        assert "removed ClusterRoleBinding vault-enablement-pipeline" in account.remove()
        with Cluster(api.admin_kubeconfig) as cluster:
            role = Identity("rbac.authorization.k8s.io/v1", "ClusterRole", "", "vault-enablement-pipeline")
            assert cluster.get(role) is None


def test_a_namespace_that_is_there_keeps_its_labels(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path / "kubernetes") as api, Cluster(api.admin_kubeconfig) as cluster:
        labelled = {"name": "payments", "labels": {"team": "payments"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": labelled}
        cluster.apply(namespace, force=False)
        cluster_account(api.admin_kubeconfig).create()
        there = cluster.get(Identity.of(namespace))
        assert there is not None
        assert there["metadata"]["labels"]["team"] == "payments"
