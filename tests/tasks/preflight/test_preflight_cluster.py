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

from deployments.sandbox.kubernetes_api import KubernetesApi
from deployments.sandbox.kubernetes_api import kubeconfig as kubeconfig_of
from runbook.errors import (
    AccessDenied,
    CertificateNotTrusted,
    InvalidInput,
    PermanentError,
    PrerequisiteMissing,
    TransientError,
    Unreachable,
)
from runbook.request import EnableRequest
from tasks.preflight import openshift as rows
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import (
    ANOTHER_CA,
    NOBODY_LISTENS,
    Installation,
    failed,
    kubeconfig_with,
    row,
    the_error,
)

IDENTITY = "The connection is ember"


def test_an_unreachable_api_server_is_worth_another_try(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    kubeconfig = kubeconfig_with(installation.kubeconfig, server=NOBODY_LISTENS)
    found = installation.look(request_for_ember, installation.only("cluster", cluster__kubeconfig=kubeconfig))
    assert failed(found) == [rows.REACHABLE, rows.CERTIFICATE]
    assert all(isinstance(error, Unreachable) for error in found.errors)
    error = the_error(found, request_for_ember)
    assert isinstance(error, TransientError)
    assert f"OpenShift, {NOBODY_LISTENS}: no answer" in str(error)
    assert row(found, rows.RIGHTS).status == "not checked"
    assert rows.REACHABLE in row(found, rows.RIGHTS).found


@pytest.mark.parametrize(
    "kubeconfig",
    [
        "{",
        "hello",
        "- a\n- list",
        "{}",
        "current-context: here",
        "token: [sha256~abcdefghijklmnop",
        "clusters: []\nusers: [{name: a, user: {token: sha256~abcdefghijklmnop}}]\ncontexts: []\n"
        "current-context: here",
    ],
)
def test_a_garbage_kubeconfig_is_said_to_be_none_and_not_quoted(
    installation: Installation, request_for_ember: EnableRequest, kubeconfig: str
) -> None:
    connections = installation.only("cluster", cluster__kubeconfig=kubeconfig)
    installation.secrets.append("sha256~abcdefghijklmnop")
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.KUBECONFIG]
    assert [one.status for one in found.rows if one.prerequisite == rows.REACHABLE] == ["not checked"]
    error = the_error(found, request_for_ember)
    assert isinstance(error, InvalidInput)
    assert "kubeconfig" in error.subject


def expired_jwt() -> str:
    """A token of a ServiceAccount as a cluster issued it long ago; its signature is nobody's."""
    parts = ({"alg": "RS256"}, {"sub": "system:serviceaccount:a:b", "exp": 1_700_000_000})
    head, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return f"{head}.{claims}.c2lnbmF0dXJl"


def test_an_expired_kubeconfig_is_told_from_a_wrong_one(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    kubeconfig = kubeconfig_with(installation.kubeconfig, token=expired_jwt())
    found = installation.look(request_for_ember, installation.only("cluster", cluster__kubeconfig=kubeconfig))
    assert failed(found) == [rows.CREDENTIALS]
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "401 the credentials expired on 2023-11-14 22:13 UTC" in error.answer
    assert "`oc login` again" in error.remedy
    assert "ClusterConnection" in error.remedy


def test_a_wrong_token_hides_neither_the_certificate_nor_that_the_api_answers(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    kubeconfig = kubeconfig_with(installation.kubeconfig, token="sha256~of-another-cluster")
    found = installation.look(request_for_ember, installation.only("cluster", cluster__kubeconfig=kubeconfig))
    assert failed(found) == [rows.CREDENTIALS]
    assert row(found, rows.REACHABLE).status == row(found, rows.CERTIFICATE).status == "ok"
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "401 Unauthorized" in error.answer


def test_the_projects_own_command_gives_the_account_every_right(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(request_for_ember, installation.only("cluster"))
    assert failed(found) == []
    assert row(found, rows.RIGHTS).status == row(found, IDENTITY).status == "ok"


CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/vault-enablement-pipeline"


@contextmanager
def without(installation: Installation, *resources: str) -> Iterator[None]:
    """The account's ClusterRole without the rules for some resources, for as long as the block lasts."""
    role = installation.as_cluster_admin("GET", CLUSTER_ROLE)
    kept = [rule for rule in role["rules"] if not set(rule["resources"]) & set(resources)]
    assert len(kept) < len(role["rules"])

    def put(rules: list[dict[str, Any]]) -> None:
        there = installation.as_cluster_admin("GET", CLUSTER_ROLE)
        installation.as_cluster_admin("PUT", CLUSTER_ROLE, {**there, "rules": rules})

    put(kept)
    try:
        yield
    finally:
        put(role["rules"])


def test_rights_that_the_account_lacks_are_named_one_by_one_and_once(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    resources = ("namespaces", "serviceaccounts", "customresourcedefinitions", "infrastructures", "ingresses")
    with without(installation, *resources):
        found = installation.look(request_for_ember, installation.only("cluster"))
    assert failed(found) == [rows.RIGHTS]
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    for right in (
        "get namespaces cluster-wide",
        "get serviceaccounts eso-vault-auth in namespace external-secrets-operator",
        "get customresourcedefinitions.apiextensions.k8s.io secretstores.external-secrets.io cluster-wide",
    ):
        assert right in error.answer
    assert "Role" in error.remedy
    for hidden in (rows.STORES, "Namespace payments is there or declared", IDENTITY, rows.ROUTER):
        assert row(found, hidden).status == "not checked"


def test_a_wrong_ca_in_the_kubeconfig_is_said_for_us_and_for_vault(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    kubeconfig = kubeconfig_with(installation.kubeconfig, ca_pem=ANOTHER_CA)
    found = installation.look(request_for_ember, installation.only("cluster", cluster__kubeconfig=kubeconfig))
    assert failed(found) == [rows.REACHABLE, rows.CERTIFICATE]
    assert all(isinstance(error, CertificateNotTrusted) for error in found.errors)
    error = the_error(found, request_for_ember)
    assert isinstance(error, PermanentError)
    assert "chain: " in error.answer
    assert "certificate-authority-data" in error.answer


@pytest.mark.parametrize(
    ("ca_pem", "kind", "words"),
    [
        (ANOTHER_CA, CertificateNotTrusted, "chain: "),
        ("the CA", InvalidInput, "is not a PEM certificate"),
    ],
)
def test_a_wrong_ca_for_vault_is_found_though_we_ourselves_get_through(
    installation: Installation,
    request_for_ember: EnableRequest,
    ca_pem: str,
    kind: type[PermanentError],
    words: str,
) -> None:
    connections = installation.only("cluster", cluster__ca_cert_for_vault=ca_pem)
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.CERTIFICATE]
    error = the_error(found, request_for_ember)
    assert isinstance(error, kind)
    assert words in error.answer


def test_without_any_ca_vault_cannot_be_told_whom_to_trust(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    config = yaml.safe_load(installation.kubeconfig)
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    connections = installation.only("cluster", cluster__kubeconfig=yaml.safe_dump(config))
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.REACHABLE, rows.CERTIFICATE]
    assert isinstance(found.errors[1], PrerequisiteMissing)
    assert "ca_cert_for_vault" in found.errors[1].subject


@pytest.fixture(scope="module")
def moc_infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Kubeconfig of another cluster, which calls itself ``moc-infra``."""
    with KubernetesApi(state_dir=tmp_path_factory.mktemp("other"), port=0, cluster_name="moc-infra") as api:
        yield Path(api.admin_kubeconfig).read_text()


@pytest.mark.parametrize("cluster", ["ember", "infra", "moc"])
def test_a_connection_that_leads_to_another_cluster_is_said_to(
    installation: Installation, moc_infra: str, cluster: str
) -> None:
    request = make(cluster=cluster)
    found = installation.look(request, installation.only("cluster", cluster__kubeconfig=moc_infra))
    assert failed(found)[0] == f"The connection is {cluster}"
    error = found.errors[0]
    assert isinstance(error, InvalidInput)
    assert f"ClusterConnection '{cluster}': leads to a cluster that calls itself moc-infra-" in str(error)


def test_a_cluster_may_call_itself_otherwise_than_its_folder_if_the_connection_says_so(
    installation: Installation, moc_infra: str
) -> None:
    connections = installation.only(
        "cluster", cluster__kubeconfig=moc_infra, cluster__infrastructure_name="moc-infra"
    )
    found = installation.look(make(cluster="infra"), connections)
    assert row(found, "The connection is infra").status == "ok"


def test_where_there_is_no_openshift_identity_and_router_are_not_checked(
    installation: Installation, request_for_ember: EnableRequest, tmp_path: Path
) -> None:
    with KubernetesApi(state_dir=tmp_path, port=0, openshift=False) as plain:
        text = kubeconfig_of("ember", plain.url, plain.ca_pem, "admin", plain.admin_token)
        found = installation.look(request_for_ember, installation.only("cluster", cluster__kubeconfig=text))
    assert row(found, IDENTITY).status == row(found, rows.ROUTER).status == "not checked"
    assert "has no infrastructures.config.openshift.io" in row(found, IDENTITY).found


def test_the_routers_certificate_is_a_warning_at_most(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(request_for_ember, installation.only("cluster"))
    router = row(found, rows.ROUTER)
    assert router.status == "warning"
    assert "https://console-openshift-console.apps.ember.sandbox.test" in router.found


def test_a_namespace_that_is_neither_there_nor_declared_is_named_and_the_others_are_not(
    installation: Installation,
) -> None:
    installation.as_cluster_admin("POST", "/api/v1/namespaces", {"metadata": {"name": "by-hand"}})
    request = make(namespaces=("payments", "paymnets", "by-hand"))
    found = installation.look(request, installation.only("cluster", "repository"))
    assert failed(found) == [rows.RIGHTS, "Namespace paymnets is there or declared"]
    assert row(found, "Namespace payments is there or declared").found == "in the cluster's overlay"
    assert row(found, "Namespace by-hand is there or declared").found == "on the cluster"
    error = the_error(found, request)
    assert isinstance(error, PrerequisiteMissing)
    assert "namespace paymnets: is neither on the cluster nor in its overlay" in str(error)
    assert "namespace payments" not in row(found, rows.RIGHTS).found


def test_a_namespace_is_not_judged_by_half_of_what_has_to_be_asked(installation: Installation) -> None:
    request = make(namespaces=("paymnets",))
    for half in ("cluster", "repository"):
        found = installation.look(request, installation.only(half))
        assert row(found, "Namespace paymnets is there or declared").status == "not checked"
