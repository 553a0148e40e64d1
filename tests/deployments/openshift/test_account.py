"""The pipeline's account on a cluster: what the command prints is enough, is narrow, and is all needed."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from change.table import Table
from connections import ClusterConnection
from deployments.openshift import account
from deployments.openshift.account import account_manifests
from runbook.cluster_rights import REVIEW_TOKENS, ClusterRight
from runbook.errors import PrerequisiteMissing
from runbook.request import EnableRequest, ReviewerToken
from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.manifests import Identity
from sandbox.kubernetes_api import KubernetesApi
from systems.openshift import OpenShift
from tasks.preflight.openshift import FURTHER_RIGHTS, RIGHTS, ask_cluster
from tests.printed_commands import printed
from tests.rights import account_kubeconfig, cluster_account
from tests.tasks.conftest import request as make

MODES: tuple[ReviewerToken, ReviewerToken] = ("secret", "token-request")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    with KubernetesApi(tmp_path_factory.mktemp("kubernetes"), cluster_name="ember") as server:
        yield server


@pytest.fixture(scope="module")
def kubeconfig(api: KubernetesApi) -> str:
    """Of the account, with the rights for both modes."""
    return account_kubeconfig(api.admin_kubeconfig)


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
    eso = "external-secrets-operator"
    with OpenShift(yaml.safe_load(kubeconfig)) as pipeline:
        # None or False is an answer; whoever may not ask gets an AccessDenied, or None where False is meant.
        assert pipeline.service_account_can(eso, "eso-vault-auth", REVIEW_TOKENS) is False
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
        for manifest in account_manifests(["payments", "web"], reviewer_tokens=[mode]):
            for number, rule in enumerate(manifest.get("rules", ())):
                if (manifest["metadata"], rule) not in seen:
                    seen.append((manifest["metadata"], rule))
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
    for name in rule.get("resourceNames", [""]):
        assert f"{words} {name}".rstrip() in said
    namespace = manifest["metadata"].get("namespace")
    assert not namespace or f"in namespace {namespace}" in said
    # Nothing else is missing for it.
    assert said.count("in namespace web") in {0, 1}


def test_the_account_may_not_do_anything_else(api: KubernetesApi) -> None:
    token_of = functools.partial(ClusterRight, "create", "serviceaccounts", subresource="token")
    forbidden = (
        ClusterRight("get", "secrets", namespace="payments", name="database"),
        ClusterRight("get", "secrets", namespace="external-secrets-operator", name="other"),
        ClusterRight("list", "secrets"),
        ClusterRight("list", "secrets", namespace="external-secrets-operator"),
        token_of(namespace="kube-system", name="default"),
        token_of(namespace="payments", name="default"),
        # The starter ServiceAccount's name in a namespace that was not named.
        token_of(namespace="other", name="vault-secret-fetcher"),
        ClusterRight("create", "serviceaccounts", namespace="payments"),
        ClusterRight("update", "namespaces", name="payments"),
        ClusterRight("list", "namespaces"),
        ClusterRight("get", "secretstores", "external-secrets.io", "payments", "of-somebody-else"),
        ClusterRight("list", "events", namespace="kube-system"),
        ClusterRight("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
        REVIEW_TOKENS,
        ClusterRight("create", "pods", namespace="payments"),
        ClusterRight("impersonate", "users", name="admin"),
    )
    account = cluster_account(api.admin_kubeconfig, ["secret"])
    account.create()
    with OpenShift(yaml.safe_load(account.kubeconfig("ember"))) as pipeline:
        assert pipeline.denied(forbidden) == forbidden


def test_a_mode_has_no_right_of_the_other_mode() -> None:
    secret, requested = (yaml.safe_dump(account_manifests(["web"], reviewer_tokens=[mode])) for mode in MODES)
    assert "resources:\n    - secrets\n" in secret
    assert "resources:\n    - secrets\n" not in requested


def test_the_command_says_how_it_was_called_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"python -m {account.__name__} web --service-account fetcher"
    text = printed(account, command)
    assert f"# {command}\n" in text
    assert list(yaml.safe_load_all(text)) == account_manifests(["web"], "fetcher")
    assert account.main(["web", "pay*"]) == 1
    out, err = capsys.readouterr()
    assert (out, "namespaces='pay*': is a wildcard" in err) == ("", True)


def test_removing_the_account_leaves_nothing_of_it(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path / "kubernetes") as api:
        account = cluster_account(api.admin_kubeconfig)
        account.create()
        second = cluster_account(api.admin_kubeconfig)
        second.create()
        assert list(second.remove()) == [], "what was there before is not removed"
        assert "removed ClusterRoleBinding vault-enablement-pipeline" in list(account.remove())
        with Cluster(api.admin_kubeconfig) as cluster:
            role = Identity("rbac.authorization.k8s.io/v1", "ClusterRole", "", "vault-enablement-pipeline")
            assert cluster.get(role) is None


@pytest.mark.long
def test_a_namespace_that_is_terminating_is_waited_for(tmp_path: Path) -> None:
    namespace = Identity("v1", "Namespace", "", "vault-enablement")
    lines: list[str] = []
    with (
        KubernetesApi(tmp_path / "kubernetes", controller_delay=3.0) as api,
        Cluster(api.admin_kubeconfig) as cluster,
    ):
        for _ in range(2):
            account = cluster_account(api.admin_kubeconfig)
            account.create(lines.append)
            assert lines == [], "the end of the one before was waited for"
            assert f"removed {namespace}" in list(account.remove())
            assert cluster.get(namespace) is None
        cluster_account(api.admin_kubeconfig).create()
        cluster.delete(namespace)
        cluster_account(api.admin_kubeconfig).create(lines.append)
        assert lines == [f"waiting until {namespace}, which is being deleted, is gone"]
        there = cluster.get(namespace)
        assert there is not None
        assert "deletionTimestamp" not in there["metadata"]


def test_a_namespace_that_is_there_keeps_its_labels(tmp_path: Path) -> None:
    with KubernetesApi(tmp_path / "kubernetes") as api, Cluster(api.admin_kubeconfig) as cluster:
        labelled = {"name": "payments", "labels": {"team": "payments"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": labelled}
        cluster.apply(namespace, force=False)
        cluster_account(api.admin_kubeconfig).create()
        there = cluster.get(Identity.of(namespace))
        assert there is not None
        assert there["metadata"]["labels"]["team"] == "payments"
