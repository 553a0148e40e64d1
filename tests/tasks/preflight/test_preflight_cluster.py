"""What preflight says of a cluster, or of the way to it, that is not as it has to be."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.commands import account_command
from runbook.errors import (
    AccessDenied,
    CertificateNotTrusted,
    InvalidInput,
    PermanentError,
    PrerequisiteMissing,
    Unreachable,
)
from sandbox.kubernetes_api import KubernetesApi
from sandbox.kubernetes_api import kubeconfig as kubeconfig_of
from tasks.preflight import openshift as rows
from tests.connect_proxy import proxy_to
from tests.kubernetes_objects import Cluster
from tests.printed_commands import commands
from tests.tables import table
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import (
    ANOTHER_CA,
    NOBODY_LISTENS,
    Installation,
    Wrong,
    failed,
    refused,
    row,
    the_error,
    with_kubeconfig,
)

IDENTITY = "The connection is ember"


def expired_jwt() -> str:
    """A token of a ServiceAccount as a cluster issued it long ago; its signature is nobody's."""
    parts = ({"alg": "RS256"}, {"sub": "system:serviceaccount:a:b", "exp": 1_700_000_000})
    head, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return f"{head}.{claims}.c2lnbmF0dXJl"


def without_any_ca(there: Installation) -> dict[str, str]:
    config = yaml.safe_load(there.kubeconfig)
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    return {"cluster__kubeconfig": yaml.safe_dump(config)}


WRONG = {
    "nobody listens": Wrong(
        with_kubeconfig(server=NOBODY_LISTENS),
        [rows.REACHABLE, rows.CERTIFICATE],
        Unreachable,
        (f"OpenShift, {NOBODY_LISTENS}: no answer",),
        {rows.RIGHTS: "not checked"},
    ),
    "an expired kubeconfig, which is told from a wrong one": Wrong(
        with_kubeconfig(token=expired_jwt()),
        [rows.CREDENTIALS],
        AccessDenied,
        (
            "401 the credentials expired on 2023-11-14 22:13 UTC",
            "put a new kubeconfig into",
            "ClusterConnection",
        ),
    ),
    "a wrong token, which hides neither the certificate nor that the API answers": Wrong(
        with_kubeconfig(token="sha256~of-another-cluster"),
        [rows.CREDENTIALS],
        AccessDenied,
        ("401 Unauthorized",),
        {rows.REACHABLE: "ok", rows.CERTIFICATE: "ok"},
    ),
    "a wrong CA, for us and for Vault": Wrong(
        with_kubeconfig(ca_pem=ANOTHER_CA),
        [rows.REACHABLE, rows.CERTIFICATE],
        CertificateNotTrusted,
        ("chain: ", "certificate-authority-data"),
    ),
    "a wrong CA for Vault, though we ourselves get through": Wrong(
        lambda there: {"cluster__ca_cert_for_vault": ANOTHER_CA},
        [rows.CERTIFICATE],
        CertificateNotTrusted,
        ("chain: ",),
    ),
    "no CA at all": Wrong(
        without_any_ca,
        [rows.REACHABLE, rows.CERTIFICATE],
        PermanentError,
        ("ca_cert_for_vault",),
    ),
}


@table("wrong", WRONG)
def test_what_is_wrong_is_said(installation: Installation, wrong: Wrong) -> None:
    found = wrong.check(installation, "cluster")
    assert rows.REACHABLE not in wrong.failed or rows.REACHABLE in row(found, rows.RIGHTS).found


def test_the_projects_own_command_gives_the_account_every_right_and_the_router_is_a_warning_at_most(
    installation: Installation,
) -> None:
    found = installation.ask("cluster")
    assert failed(found) == []
    assert row(found, rows.RIGHTS).status == row(found, IDENTITY).status == "ok"
    assert row(found, rows.ROUTER).status == "warning"
    assert "https://console-openshift-console.apps.ember.sandbox.test" in row(found, rows.ROUTER).found


CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/vault-enablement-pipeline"


@contextmanager
def without(installation: Installation, *resources: str) -> Iterator[None]:
    """The account's ClusterRole without the rules for some resources, for as long as the block lasts."""
    cluster = Cluster(installation.kubernetes)
    role = cluster.send("GET", CLUSTER_ROLE)
    kept = [rule for rule in role["rules"] if not set(rule["resources"]) & set(resources)]
    assert len(kept) < len(role["rules"])

    def put(rules: list[dict[str, Any]]) -> None:
        cluster.send("PUT", CLUSTER_ROLE, {**cluster.send("GET", CLUSTER_ROLE), "rules": rules})

    put(kept)
    try:
        yield
    finally:
        put(role["rules"])


def test_rights_that_the_account_lacks_are_named_one_by_one_and_once(installation: Installation) -> None:
    resources = ("namespaces", "serviceaccounts", "customresourcedefinitions", "infrastructures", "ingresses")
    with without(installation, *resources):
        found = installation.ask("cluster")
    error = refused(found, [rows.RIGHTS], AccessDenied)
    for right in (
        "get namespaces cluster-wide",
        "get serviceaccounts eso-vault-auth in namespace external-secrets-operator",
        "get customresourcedefinitions.apiextensions.k8s.io secretstores.external-secrets.io cluster-wide",
    ):
        assert right in error.answer
    assert account_command(make()) in commands(error.remedy)
    for hidden in (rows.STORES, "Namespace payments is there or declared", IDENTITY, rows.ROUTER):
        assert row(found, hidden).status == "not checked"


def test_a_cluster_behind_the_proxy_of_its_kubeconfig_is_looked_at_through_it(
    installation: Installation, tmp_path: Path
) -> None:
    with (
        KubernetesApi(tmp_path, cluster_name="ember", names=("api.ember.test",)) as api,
        proxy_to(int(api.url.rpartition(":")[2])) as proxy,
    ):
        config = yaml.safe_load(Path(api.admin_kubeconfig).read_text())
        config["clusters"][0]["cluster"] |= {
            "server": "https://api.ember.test:6443",
            "proxy-url": f"http://127.0.0.1:{proxy.port}",
        }
        found = installation.ask("cluster", cluster__kubeconfig=yaml.safe_dump(config))
    for prerequisite in (rows.REACHABLE, rows.CERTIFICATE):
        assert row(found, prerequisite).status == "ok", row(found, prerequisite)
    # The console, for the router's certificate, is where the API is.
    assert {one.partition(":")[0] for one in proxy.asked} == {
        "CONNECT api.ember.test",
        "CONNECT console-openshift-console.apps.ember.sandbox.test",
    }


@pytest.fixture(scope="module")
def moc_infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Kubeconfig of another cluster, which calls itself ``moc-infra``."""
    with KubernetesApi(state_dir=tmp_path_factory.mktemp("other"), port=0, cluster_name="moc-infra") as api:
        yield Path(api.admin_kubeconfig).read_text()


@pytest.mark.parametrize("cluster", ["ember", "infra", "moc"])
def test_a_connection_that_leads_to_another_cluster_is_said_to(
    installation: Installation, moc_infra: str, cluster: str
) -> None:
    found = installation.ask("cluster", cluster__kubeconfig=moc_infra, request=make(cluster=cluster))
    assert failed(found)[0] == f"The connection is {cluster}"
    error = found.errors[0]
    assert isinstance(error, InvalidInput)
    assert f"ClusterConnection '{cluster}': points to a cluster that calls itself moc-infra-" in str(error)


def test_a_cluster_may_call_itself_otherwise_than_its_folder_if_the_connection_says_so(
    installation: Installation, moc_infra: str
) -> None:
    connection = {"cluster__kubeconfig": moc_infra, "cluster__infrastructure_name": "moc-infra"}
    found = installation.ask("cluster", request=make(cluster="infra"), **connection)
    assert row(found, "The connection is infra").status == "ok"


def test_a_run_has_the_environment_that_the_connection_names(installation: Installation) -> None:
    assert failed(installation.ask("cluster", cluster__env="emea")) == []
    found = installation.ask("cluster", cluster__env="apac")
    refused(
        found, ["The connection is ember"], InvalidInput, "env='emea': is not that of the ClusterConnection"
    )


def test_where_there_is_no_openshift_identity_and_router_are_not_checked(
    installation: Installation, tmp_path: Path
) -> None:
    with KubernetesApi(state_dir=tmp_path, port=0, openshift=False) as plain:
        text = kubeconfig_of("ember", plain.url, plain.ca_pem, "admin", plain.admin_token)
        found = installation.ask("cluster", cluster__kubeconfig=text)
    assert row(found, IDENTITY).status == row(found, rows.ROUTER).status == "not checked"
    assert "has no infrastructures.config.openshift.io" in row(found, IDENTITY).found


def test_a_namespace_that_is_neither_there_nor_declared_is_named_and_the_others_are_not(
    installation: Installation,
) -> None:
    Cluster(installation.kubernetes).send("POST", "/api/v1/namespaces", {"metadata": {"name": "by-hand"}})
    request = make(namespaces=("payments", "paymnets", "by-hand"))
    found = installation.ask("cluster", "repository", request=request)
    assert failed(found) == [rows.RIGHTS, "Namespace paymnets is there or declared"]
    assert row(found, "Namespace payments is there or declared").found == "in the cluster's overlay"
    assert row(found, "Namespace by-hand is there or declared").found == "on the cluster"
    error = the_error(found)
    assert isinstance(error, PrerequisiteMissing)
    assert "namespace paymnets: is neither on the cluster nor in its overlay" in str(error)
    assert "namespace payments" not in row(found, rows.RIGHTS).found


def test_a_namespace_is_not_judged_by_half_of_what_has_to_be_asked(installation: Installation) -> None:
    request = make(namespaces=("paymnets",))
    for half in ("cluster", "repository"):
        found = installation.ask(half, request=request)
        assert row(found, "Namespace paymnets is there or declared").status == "not checked"
