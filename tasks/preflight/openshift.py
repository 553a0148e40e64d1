"""What preflight asks the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from change.table import Table
from connections import ClusterConnection
from runbook.checks import Check
from runbook.cluster_rights import ClusterRight, cluster_rights
from runbook.commands import account_command
from runbook.errors import (
    AccessDenied,
    CertificateNotTrusted,
    EnablementError,
    InvalidInput,
    NotAuthenticated,
    PrerequisiteMissing,
)
from runbook.hosts import ApiServer
from runbook.request import ClusterRequest
from systems.openshift import Infrastructure, OpenShift
from systems.tls import check_certificate
from tasks.preflight.later import to_write

KUBECONFIG = "The kubeconfig can be used"
REACHABLE = "The cluster's API is reachable"
CREDENTIALS = "The cluster accepts our credentials"
CERTIFICATE = "The API certificate is right for Vault"
ROUTER = "Certificate of the router"
RIGHTS = "Our rights on the cluster"
FURTHER_RIGHTS = "Our optional rights on the cluster"
STORES = "API versions of SecretStore"


def identity(request: ClusterRequest) -> str:
    """The row on which cluster the connection leads to."""
    return f"The connection is {request.cluster}"


def namespace_row(namespace: str) -> str:
    """The row on a namespace."""
    return f"Namespace {namespace} is there or declared"


@dataclass(slots=True)
class ClusterAnswers:
    """What later questions need of the cluster.

    Attributes:
        client: None where the cluster cannot be asked.
        api: its API as Vault reaches it; None where the connection does not say.
        served_versions: of the SecretStore; empty while its kind is not there.
    """

    table: Table
    client: OpenShift | None = None
    api: ApiServer | None = None
    served_versions: tuple[str, ...] = ()


def ask_cluster(
    connection: ClusterConnection | None, request: ClusterRequest, stack: ExitStack
) -> ClusterAnswers:
    """Ask the cluster about itself and about us; ``stack`` closes the client in the end."""
    us = KUBECONFIG, REACHABLE, CREDENTIALS, CERTIFICATE, ROUTER, RIGHTS, FURTHER_RIGHTS
    table = Table("OpenShift", (*us, identity(request), STORES))
    answers = ClusterAnswers(table)
    client = table.get(KUBECONFIG, connection.client) if connection else None
    if connection is None or client is None:
        return answers
    stack.enter_context(client)
    table.ok(KUBECONFIG, client.host)
    believed = _reach(table, client)
    api = answers.api = table.get(
        CERTIFICATE, lambda: connection.as_vault_sees_it(client, request.conventions.reviewer_ca)
    )
    if api is not None:
        table.check(CERTIFICATE, lambda: _certificate(api))
    if not believed:
        return answers
    answers.client = client
    rights = cluster_rights(request)
    denied = table.get(RIGHTS, lambda: client.denied(rights))
    if denied is not None:
        needed = sum(not right.without for right in rights)
        table.check(RIGHTS, to_write(request, RIGHTS, lambda: _rights(needed, denied, request)))
        table.check(FURTHER_RIGHTS, lambda: _further_rights(len(rights) - needed, denied, request))
    table.rights_are_named_by(RIGHTS)
    table.check(ROUTER, lambda: _router(client))
    table.check(identity(request), lambda: _infrastructure(client, request, connection))
    served = table.get(STORES, lambda: client.served_versions(request.conventions.store.crd))
    if served is not None:
        answers.served_versions = served
        table.ok(STORES, ", ".join(served) or "none yet; the pull request brings the operator")
    return answers


def ask_namespaces(answers: ClusterAnswers, request: ClusterRequest, declared: frozenset[str] | None) -> None:
    """Add a row for each namespace: whether it is on the cluster or will be made by its overlay.

    Args:
        answers: of the cluster so far.
        request: the run's parameters.
        declared: those that the overlay declares; None where it could not be read.
    """
    for namespace in request.needed_namespaces:
        row = namespace_row(namespace)
        answers.table.check(row, partial(_namespace, row, answers.client, namespace, declared))


def _namespace(
    row: str, client: OpenShift | None, namespace: str, declared: frozenset[str] | None
) -> str | Check:
    if namespace in (declared or ()):
        return "in the cluster's overlay"
    if client is None:
        return Check(row, "not checked", "the cluster could not be asked")
    if client.namespace_exists(namespace):
        return "on the cluster"
    if declared is None:
        return Check(row, "not checked", "is not on the cluster, and its overlay could not be read")
    raise PrerequisiteMissing(
        "OpenShift",
        f"namespace {namespace}",
        "is neither on the cluster nor in its overlay",
        "Correct `namespaces`, or declare it in the cluster's overlay first.",
    )


def _reach(table: Table, client: OpenShift) -> bool:
    """Whether the cluster answers us, and as somebody that it knows."""
    try:
        version = client.version()
    except NotAuthenticated as error:
        table.ok(REACHABLE, client.host)
        table.fail(CREDENTIALS, error)
        return False
    except AccessDenied:
        # Some clusters do not tell everybody their version.
        version = "version not known"
    except EnablementError as error:
        table.fail(REACHABLE, error)
        return False
    table.ok(REACHABLE, f"{client.host}, {version}")
    table.ok(CREDENTIALS, "yes")
    return True


def _certificate(api: ApiServer) -> str:
    """Whether Vault will trust the API server with the CA that we are going to give it."""
    report = check_certificate(api.host, api.ca_pem or None, proxy=api.proxy)
    if report.trusted:
        return f"{api.host}" + (f", valid until {report.not_after:%Y-%m-%d}" if report.not_after else "")
    raise CertificateNotTrusted(
        "OpenShift",
        api.host,
        report.problem,
        "Set host_for_vault and ca_cert_for_vault of the ClusterConnection: a name that is in the "
        f"certificate ({', '.join(report.names) or 'it names none'}) and the CA that signed it.",
    )


def _router(client: OpenShift) -> str | Check:
    """Whether the router of the cluster shows a certificate that machines trust."""
    try:
        domain = client.ingress_domain()
    except AccessDenied:
        return Check(ROUTER, "not checked", "we may not read ingresses.config.openshift.io/cluster")
    if domain is None:
        return Check(ROUTER, "not checked", "the cluster has no ingresses.config.openshift.io")
    url = f"https://console-openshift-console.{domain}"
    try:
        report = check_certificate(url, None, proxy=client.proxy)
    except EnablementError as error:
        return Check(ROUTER, "warning", f"{url}: {error.answer}", "Check it from the users' network.")
    if report.trusted:
        return url
    return Check(
        ROUTER,
        "warning",
        f"{url}: {report.problem}",
        "Ask a cluster administrator for a default certificate of the router that your machines trust.",
    )


def _give_rights(request: ClusterRequest) -> str:
    return (
        f"Ask a cluster administrator to run `{account_command(request)}`, and put that account's kubeconfig "
        "into the ClusterConnection."
    )


def _rights(needed: int, denied: Sequence[ClusterRight], request: ClusterRequest) -> str:
    lacking = "; ".join(str(right) for right in denied if not right.without)
    if lacking:
        raise AccessDenied("OpenShift", "our account", f"may not {lacking}", _give_rights(request))
    return f"{needed} rights"


def _further_rights(optional: int, denied: Sequence[ClusterRight], request: ClusterRequest) -> str | Check:
    lacking = "; ".join(f"may not {right}: {right.without}" for right in denied if right.without)
    if lacking:
        return Check(FURTHER_RIGHTS, "warning", f"our account {lacking}", _give_rights(request))
    return f"{optional} rights"


def _infrastructure(client: OpenShift, request: ClusterRequest, connection: ClusterConnection) -> str | Check:
    """Whether the connection leads to the cluster that the run is for."""
    expected, env = connection.infrastructure_name or request.cluster, connection.env
    if env not in {None, request.env}:
        raise InvalidInput(
            "input",
            f"env={request.env!r}",
            f"is not that of the ClusterConnection {request.cluster_connection!r}, {env}",
            "Correct one of them.",
        )
    try:
        infrastructure = client.infrastructure()
    except AccessDenied:
        why = "we may not read infrastructures.config.openshift.io/cluster"
        return Check(identity(request), "not checked", why)
    if infrastructure is None:
        why = "the cluster has no infrastructures.config.openshift.io"
        return Check(identity(request), "not checked", why)
    found = f"{infrastructure.name}, {infrastructure.api_server_url}"
    if _is_called(infrastructure, expected):
        return found
    raise InvalidInput(
        "OpenShift",
        f"ClusterConnection {request.cluster_connection!r}",
        f"points to a cluster that calls itself {found}, not {expected}",
        "Put the kubeconfig of the right cluster into it; or, if this is the right one under another name, "
        "set infrastructure_name in it.",
    )


def _is_called(infrastructure: Infrastructure, name: str) -> bool:
    """By its own name, or by that of its API server, ``api.<name>.<domain>``."""
    labels = (urlsplit(infrastructure.api_server_url).hostname or "").split(".")
    own, _, _ = infrastructure.name.rpartition("-")
    # OpenShift's installer cuts the name to 21 characters and adds five random ones.
    return name in labels[:2] or name == infrastructure.name or name[:21].rstrip("-") == own
