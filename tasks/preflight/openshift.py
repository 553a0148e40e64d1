"""What preflight asks the cluster."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from runbook.checks import Check
from runbook.errors import EnablementError, TransientError
from runbook.request import EnableRequest
from runbook.rights import cluster_rights
from systems.openshift import Access, OpenShift
from systems.tls import check_certificate
from tasks.auth_config import ApiServer


def certificate_row(api: ApiServer) -> Check:
    """Whether Vault will trust the API server with the CA that we are going to give it."""
    what = "The API certificate is right for Vault"
    try:
        report = check_certificate(api.host, api.ca_pem)
    except EnablementError as error:
        return Check(what, "failed", f"{error.subject}: {error.answer}", error.remedy)
    if report.trusted:
        until = f", valid until {report.not_after:%Y-%m-%d}" if report.not_after else ""
        return Check(what, "ok", f"{api.host}{until}")
    return Check(
        what,
        "failed",
        f"{api.host}: {report.problem}",
        "Set host_for_vault and ca_cert_for_vault of the ClusterConnection: a name that is in the "
        f"certificate ({', '.join(report.names) or 'it names none'}) and the CA that signed it.",
    )


def router_row(openshift: OpenShift) -> Check:
    """Whether the router of the cluster shows a certificate that machines trust."""
    what = "The router certificate is trusted"
    domain = openshift.ingress_domain()
    if domain is None:
        return Check(what, "not checked", "no ingresses.config.openshift.io, or we may not look")
    url = f"https://console-openshift-console.{domain}"
    try:
        report = check_certificate(url, None)
    except EnablementError as error:
        return Check(what, "warning", f"{url}: {error.answer}", "Check it from where users come from.")
    if report.trusted:
        return Check(what, "ok", url)
    return Check(
        what,
        "warning",
        f"{url}: {report.problem}",
        "Have the router's default certificate replaced by one that your machines trust.",
    )


def rights_row(openshift: OpenShift, request: EnableRequest) -> Check:
    """Whether our account on the cluster may do what the run does."""
    accesses = [
        Access(right.verb, right.resource, right.group, right.namespace, right.name, right.subresource)
        for right in cluster_rights(request)
    ]
    denied = openshift.denied(accesses)
    if denied:
        return Check(
            "Our account may do what the run does on the cluster",
            "failed",
            f"may not {'; '.join(str(access) for access in denied)}",
            "Bind the account of the ClusterConnection to a Role or ClusterRole with these rules.",
        )
    return Check("Our account may do what the run does on the cluster", "ok", f"{len(accesses)} rights")


def identity_row(openshift: OpenShift, request: EnableRequest) -> Check:
    """Whether the connection leads to the cluster that the run is for."""
    what = f"The connection is {request.cluster}"
    infrastructure = openshift.infrastructure()
    if infrastructure is None:
        return Check(what, "not checked", "the cluster has no infrastructures.config.openshift.io")
    labels = (urlsplit(infrastructure.api_server_url).hostname or "").split(".")
    found = f"{infrastructure.name}, {infrastructure.api_server_url}"
    if request.cluster in labels or f"{infrastructure.name}-".startswith(f"{request.cluster}-"):
        return Check(what, "ok", found)
    return Check(
        what,
        "failed",
        f"the cluster calls itself {found}",
        f"Check the kubeconfig of the ClusterConnection {request.cluster_connection!r}; it leads to another "
        "cluster.",
    )


def namespace_row(openshift: OpenShift, request: EnableRequest, declared: frozenset[str]) -> Check:
    """Whether each namespace is on the cluster or will be made by its overlay."""
    what = "The namespaces exist or are declared"
    absent = [
        name for name in request.namespaces if name not in declared and not openshift.namespace_exists(name)
    ]
    if absent:
        return Check(
            what,
            "failed",
            f"{', '.join(absent)}: neither on the cluster nor in its overlay",
            "Correct `namespaces`, or declare them in the cluster's overlay first.",
        )
    return Check(what, "ok", ", ".join(request.namespaces))


def cluster_rows(
    openshift: OpenShift, request: EnableRequest, api: ApiServer, declared: frozenset[str]
) -> list[Check]:
    """All rows on the cluster, as far as it answers."""
    rows = [Check("The cluster's API is reachable", "ok", f"{openshift.host}, {openshift.version()}")]
    rows.append(certificate_row(api))
    questions: dict[str, Callable[[], Check]] = {
        "The router certificate is trusted": lambda: router_row(openshift),
        "Our account may do what the run does on the cluster": lambda: rights_row(openshift, request),
        f"The connection is {request.cluster}": lambda: identity_row(openshift, request),
        "The namespaces exist or are declared": lambda: namespace_row(openshift, request, declared),
    }
    for what, ask in questions.items():
        try:
            rows.append(ask())
        except TransientError:
            raise
        except EnablementError as error:
            rows.append(Check(what, "failed", f"{error.subject}: {error.answer}", error.remedy))
    return rows
