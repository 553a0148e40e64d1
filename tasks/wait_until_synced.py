"""Step: wait until the merged change is really on the cluster.

Merge is not deployment: most Applications of the real repository have auto-sync switched off, so somebody
has to press Sync. The message names the next Application to sync, in the order in which they depend on
each other: the app-of-apps makes the Applications, the cluster's resources bring operator, CRDs and the
reviewer's binding, the one of external-secrets brings the reviewer's ServiceAccount and token.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from prefect import get_run_logger

from change.step import look
from runbook.application_names import ApplicationNames
from runbook.cluster_rights import REVIEW_TOKENS
from runbook.durations import seconds
from runbook.errors import NotYetSynced
from runbook.names import (
    AUTH_DELEGATOR,
    ESO_NAMESPACE,
    REVIEWER_SERVICE_ACCOUNT,
    REVIEWER_TOKEN_SECRET,
    SECRET_STORE_CRD,
)
from runbook.request import ClusterRequest
from systems.openshift import OpenShift
from tasks import connect

_POLL = 5.0
"""Seconds between two looks at the cluster."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not on the cluster yet, and the Application that brings it."""

    what: str
    application: str


def missing(
    openshift: OpenShift,
    request: ClusterRequest,
    applications: ApplicationNames,
    versions: tuple[str, ...],
) -> Iterator[Missing]:
    """What the cluster still lacks, in the order in which it has to be synced.

    Args:
        openshift: the cluster.
        request: the run's parameters.
        applications: to name.
        versions: of the SecretStore that the cluster serves.
    """
    resources = applications.resources
    app_of_apps = f"{applications.app_of_apps}, then {resources}"
    external = f"{applications.operator} ({applications.app_of_apps} makes it)"
    if not openshift.namespace_exists(ESO_NAMESPACE):
        yield Missing(f"namespace {ESO_NAMESPACE}", app_of_apps)
        return
    if not versions:
        yield Missing(
            f"CRD {SECRET_STORE_CRD} (the operator brings it; its install plan may wait for approval)",
            resources,
        )
    for namespace in request.namespaces:
        if not openshift.namespace_exists(namespace):
            yield Missing(f"namespace {namespace}", resources)
        elif openshift.service_account_uid(namespace, request.service_account) is None:
            yield Missing(f"ServiceAccount {namespace}/{request.service_account}", resources)
    reviewer = f"{ESO_NAMESPACE}/{REVIEWER_SERVICE_ACCOUNT}"
    # Answered by name: the binding may be there before the ServiceAccount is.
    if openshift.service_account_can(ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT, REVIEW_TOKENS) is False:
        yield Missing(f"ClusterRoleBinding of {reviewer} to {AUTH_DELEGATOR}", resources)
    if openshift.service_account_uid(ESO_NAMESPACE, REVIEWER_SERVICE_ACCOUNT) is None:
        yield Missing(f"ServiceAccount {reviewer}", external)
        return
    if request.reviewer_token == "secret":  # noqa: S105 - a mode, not a token
        secret = openshift.token_secret(ESO_NAMESPACE, REVIEWER_TOKEN_SECRET)
        if secret is None or secret.token is None:
            yield Missing(f"token in Secret {ESO_NAMESPACE}/{REVIEWER_TOKEN_SECRET}", external)


@look("wait until synced")
def wait_until_synced(request: ClusterRequest, applications: ApplicationNames) -> tuple[str, ...]:
    """Wait, bounded by ``sync_timeout``, until everything of the change that Vault needs is on the cluster.

    Args:
        request: the run's parameters.
        applications: to name in messages.

    Returns:
        The versions of the SecretStore that the cluster serves.

    Raises:
        NotYetSynced: naming what is missing and the Application to sync next.
    """
    with connect.openshift(request) as openshift:
        return _wait(openshift, request, applications)


def _wait(openshift: OpenShift, request: ClusterRequest, applications: ApplicationNames) -> tuple[str, ...]:
    logger = get_run_logger()
    deadline = time.monotonic() + seconds("sync_timeout", request.sync_timeout)
    said = ""
    while True:
        versions = openshift.served_versions(SECRET_STORE_CRD)
        lacking = list(missing(openshift, request, applications, versions))
        if not lacking:
            break
        first = lacking[0]
        words = f"waiting for {first.what}; sync {first.application} in ArgoCD"
        if words != said:
            logger.info("%s: %s", request.cluster, words)
            said = words
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotYetSynced(
                "OpenShift",
                request.cluster,
                f"after {request.sync_timeout} still lacks {'; '.join(part.what for part in lacking)}",
                f"Sync next in ArgoCD: {first.application}. Then retry this run.",
            )
        time.sleep(min(_POLL, left))
    logger.info(
        "%s has everything that Vault needs; SecretStore is served as %s",
        request.cluster,
        ", ".join(versions),
    )
    return versions
