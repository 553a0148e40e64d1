"""The questions that the pipeline asks, answered by an API server with real tokens and real RBAC.

Runs against a real, disposable API server where ``TEST_KUBECONFIG`` names one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import kubernetes
import pytest
import yaml
from pydantic import SecretStr

from runbook.cluster_rights import REVIEW_TOKENS, ClusterRight
from runbook.errors import AccessDenied
from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.manifests import Identity
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.kubernetes_api import KubernetesApi
from systems.openshift import OpenShift, review_with
from tests.eventually import eventually
from tests.systems.openshift.scripted_api import kubeconfig

RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def admin_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if "TEST_KUBECONFIG" in os.environ:
        yield Path(os.environ["TEST_KUBECONFIG"])
        return
    with KubernetesApi(tmp_path_factory.mktemp("api"), openshift=False, controller_delay=0.01) as api:
        yield api.admin_kubeconfig


@pytest.fixture(scope="module")
def hand(admin_kubeconfig: Path) -> Iterator[Cluster]:
    """Makes and removes objects; the client under test cannot."""
    with Cluster(admin_kubeconfig) as cluster:
        yield cluster


@pytest.fixture
def cluster(admin_kubeconfig: Path) -> Iterator[OpenShift]:
    with OpenShift(yaml.safe_load(admin_kubeconfig.read_text())) as made:
        yield made


@pytest.fixture
def namespace(hand: Cluster) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    apply(hand, "v1", "Namespace", name)
    yield name
    hand.delete(Identity("v1", "Namespace", "", name))


@pytest.fixture
def reviewer(hand: Cluster, namespace: str) -> Iterator[str]:
    """A ServiceAccount that may create TokenReviews."""
    apply(hand, "v1", "ServiceAccount", "reviewer", namespace)
    with bound(hand, namespace, {"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}):
        yield "reviewer"


@contextmanager
def bound(hand: Cluster, namespace: str, subject: dict[str, str]) -> Iterator[None]:
    """Somebody may create TokenReviews for as long as the block lasts."""
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:auth-delegator"}
    binding = apply(
        hand,
        f"{RBAC}/v1",
        "ClusterRoleBinding",
        f"{namespace}-reviewer",
        roleRef=role,
        subjects=[subject],
    )
    try:
        yield
    finally:
        hand.delete(binding)


@contextmanager
def logged_in(cluster: OpenShift, namespace: str, name: str) -> Iterator[OpenShift]:
    """A client with a token of a ServiceAccount."""
    token = cluster.request_token(namespace, name, 600).token
    with OpenShift(kubeconfig(cluster.host, cluster.ca_pem, token.get_secret_value())) as client:
        yield client


def apply(
    hand: Cluster, api_version: str, kind: str, name: str, namespace: str = "", **fields: Any
) -> Identity:
    metadata: dict[str, Any] = {"name": name, **fields.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
    hand.apply(manifest, force=True)
    return Identity.of(manifest)


def test_the_version_is_told(cluster: OpenShift) -> None:
    assert cluster.version().startswith("v")


def test_an_administrator_lacks_no_right_and_a_service_account_lacks_those_it_was_not_given(
    cluster: OpenShift, namespace: str, reviewer: str
) -> None:
    secrets = ClusterRight("get", "secrets", namespace=namespace)
    assert cluster.denied([REVIEW_TOKENS, secrets]) == ()
    with logged_in(cluster, namespace, reviewer) as as_reviewer:
        assert as_reviewer.denied([REVIEW_TOKENS, secrets]) == (secrets,)


def test_a_right_in_a_namespace_is_none_cluster_wide_and_one_cluster_wide_counts_in_each(
    cluster: OpenShift, hand: Cluster, namespace: str, reviewer: str
) -> None:
    everywhere = ClusterRight("get", "configmaps")
    here, there = (ClusterRight("get", "configmaps", namespace=place) for place in (namespace, "default"))
    view = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
    subject = {"kind": "ServiceAccount", "name": reviewer, "namespace": namespace}
    apply(hand, f"{RBAC}/v1", "RoleBinding", "view", namespace, roleRef=view, subjects=[subject])
    with logged_in(cluster, namespace, reviewer) as as_reviewer:
        eventually(lambda: as_reviewer.denied([everywhere, here, there]) == (everywhere, there))
        binding = apply(
            hand, f"{RBAC}/v1", "ClusterRoleBinding", f"{namespace}-view", roleRef=view, subjects=[subject]
        )
        try:
            eventually(lambda: as_reviewer.denied([everywhere, here, there]) == ())
        finally:
            hand.delete(binding)


def test_the_right_of_a_service_account_is_seen_without_its_token(
    cluster: OpenShift, hand: Cluster, namespace: str, reviewer: str
) -> None:
    apply(hand, "v1", "ServiceAccount", "other", namespace)
    assert cluster.service_account_can(namespace, reviewer, REVIEW_TOKENS) is True
    assert cluster.service_account_can(namespace, "other", REVIEW_TOKENS) is False


def test_a_right_that_comes_from_a_group_counts(cluster: OpenShift, hand: Cluster, namespace: str) -> None:
    group = f"system:serviceaccounts:{namespace}"
    with bound(hand, namespace, {"apiGroup": RBAC, "kind": "Group", "name": group}):
        assert cluster.service_account_can(namespace, "anybody", REVIEW_TOKENS) is True
        assert cluster.service_account_can("elsewhere", "anybody", REVIEW_TOKENS) is False


def test_namespaces_and_service_accounts_are_found_or_absent(
    cluster: OpenShift, namespace: str, reviewer: str
) -> None:
    assert cluster.namespace_exists(namespace)
    assert not cluster.namespace_exists(f"{namespace}-not")
    uid = cluster.service_account_uid(namespace, reviewer)
    assert uid is not None
    assert str(uuid.UUID(uid)) == uid
    assert cluster.service_account_uid(namespace, "nobody") is None


def test_a_token_secret_is_filled_by_the_cluster_and_its_token_is_believed(
    cluster: OpenShift, hand: Cluster, namespace: str, reviewer: str
) -> None:
    assert cluster.token_secret(namespace, "reviewer-token") is None
    apply(
        hand,
        "v1",
        "Secret",
        "reviewer-token",
        namespace,
        metadata={"annotations": {"kubernetes.io/service-account.name": reviewer}},
        type="kubernetes.io/service-account-token",
    )

    def token() -> SecretStr | None:
        found = cluster.token_secret(namespace, "reviewer-token")
        return found.token if found else None

    eventually(lambda: token() is not None)
    secret = cluster.token_secret(namespace, "reviewer-token")
    assert secret is not None
    assert secret.token is not None
    assert secret.service_account_uid == cluster.service_account_uid(namespace, reviewer)
    verdict = review_with(cluster.host, cluster.ca_pem, secret.token, secret.token)
    assert verdict.authenticated
    assert verdict.username == f"system:serviceaccount:{namespace}:{reviewer}"
    # A new token may be signed with another key, and the cluster publishes both.
    new = cluster.request_token(namespace, reviewer, 600).token
    keys = cluster.key_ids()
    assert keys is not None
    assert keys >= {key_id(secret.token), key_id(new)}
    assert key_id(SecretStr(jwt.encode({}, "x" * 32, headers={"kid": "theirs"}))) not in keys


def key_id(token: SecretStr) -> str:
    return str(jwt.get_unverified_header(token.get_secret_value())["kid"])


def test_a_requested_token_lives_as_long_as_asked(cluster: OpenShift, namespace: str, reviewer: str) -> None:
    issued = cluster.request_token(namespace, reviewer, 3600)
    left = issued.expires_at - datetime.now(UTC)
    assert timedelta(minutes=58) < left < timedelta(minutes=62)
    assert issued.token.get_secret_value() not in repr(issued) + str(issued)


def test_the_reviewer_reviews_as_vault_will(
    cluster: OpenShift, hand: Cluster, namespace: str, reviewer: str
) -> None:
    apply(hand, "v1", "ServiceAccount", "starter", namespace)
    starter = cluster.request_token(namespace, "starter", 600).token
    jwt = cluster.request_token(namespace, reviewer, 600).token
    assert cluster.ca_pem is not None
    verdict = review_with(cluster.host, cluster.ca_pem, jwt, starter)
    assert verdict.authenticated
    assert verdict.username == f"system:serviceaccount:{namespace}:starter"
    verdict = review_with(cluster.host, cluster.ca_pem, jwt, SecretStr("garbage"))
    assert not verdict.authenticated
    assert verdict.error
    with pytest.raises(AccessDenied, match="system:auth-delegator"):
        review_with(cluster.host, cluster.ca_pem, starter, starter)
    with pytest.raises(AccessDenied, match="401"):
        review_with(cluster.host, cluster.ca_pem, SecretStr("garbage"), starter)


def test_a_kubeconfig_whose_token_was_withdrawn_says_to_log_in_again(
    cluster: OpenShift, hand: Cluster, namespace: str
) -> None:
    account = apply(hand, "v1", "ServiceAccount", "leaver", namespace)
    with logged_in(cluster, namespace, "leaver") as as_leaver:
        hand.delete(account)
        eventually(lambda: _is_refused(as_leaver))
        with pytest.raises(AccessDenied, match=r"401 Unauthorized.*put a new kubeconfig into"):
            as_leaver.namespace_exists(namespace)


def _is_refused(cluster: OpenShift) -> bool:
    try:
        cluster.denied([REVIEW_TOKENS])
    except AccessDenied:
        return True
    return False


def test_secret_stores_follow_the_crd(cluster: OpenShift, hand: Cluster, namespace: str) -> None:
    crd = dict(definitions(("v1",))[0])
    name = crd["metadata"]["name"]
    group = crd["spec"]["group"]
    if cluster.served_versions(name):
        pytest.skip(f"{name} is there already, and not ours to remove")
    assert cluster.secret_store(namespace, "opf-vault-store", "v1") is None
    hand.apply(crd, force=True)
    try:
        eventually(lambda: cluster.served_versions(name) == ("v1",))
        assert cluster.secret_store(namespace, "opf-vault-store", "v1") is None
        hand.forget()
        apply(hand, f"{group}/v1", "SecretStore", "opf-vault-store", namespace, spec={})
        state = cluster.secret_store(namespace, "opf-vault-store", "v1")
        assert state is not None
        assert (state.ready, state.events) == (None, ())
        assert cluster.secret_store(namespace, "opf-vault-store", "v1beta1") is None
    finally:
        hand.delete(Identity.of(crd))
        hand.forget()
    eventually(lambda: cluster.served_versions(name) == ())


def test_no_operator_runs_and_it_is_no_openshift(cluster: OpenShift) -> None:
    assert cluster.operator_running() is False
    assert cluster.infrastructure() is None
    assert cluster.ingress_domain() is None


def test_an_operator_that_has_a_ready_replica_runs(
    cluster: OpenShift, hand: Cluster, namespace: str, admin_kubeconfig: Path
) -> None:
    labels = {"app.kubernetes.io/name": "external-secrets"}
    pod = {"containers": [{"name": "operator", "image": "example.com/operator"}]}
    deployment = apply(
        hand,
        "apps/v1",
        "Deployment",
        "external-secrets",
        namespace,
        metadata={"labels": labels},
        spec={
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    )
    assert cluster.operator_running() is False
    library = kubernetes.config.new_client_from_config(  # type: ignore[no-untyped-call]
        str(admin_kubeconfig), persist_config=False
    )
    with library:
        apps = kubernetes.client.AppsV1Api(library)
        found = apps.read_namespaced_deployment(deployment.name, namespace)
        found.status = kubernetes.client.V1DeploymentStatus(replicas=1, ready_replicas=1)
        apps.replace_namespaced_deployment_status(deployment.name, namespace, found)
    assert cluster.operator_running() is True
