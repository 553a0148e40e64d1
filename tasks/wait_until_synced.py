"""Step: wait until the merged change is really on the cluster.

Merge is not deployment: most Applications of the real repository have auto-sync switched off, so somebody
has to press Sync. The message names the next Application to sync, in the order in which they depend on
each other: the app-of-apps makes the Applications, the one with the operator's bundle (that of the cluster's
resources, in the runbook's layout) brings namespace, CRDs and the reviewer's binding, the one of
external-secrets the reviewer's ServiceAccount and token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prefect import get_run_logger

from change.artifacts import show
from change.gate.lack import Lacking, look_for, wait_for
from change.step import step
from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.approval import ApprovedPlan
from runbook.cluster_rights import REVIEW_TOKENS
from runbook.durations import seconds
from runbook.errors import AccessDenied, NotYetSynced
from runbook.foreign_text import markdown
from runbook.names import AUTH_DELEGATOR
from runbook.request import ClusterRequest
from runbook.store_conditions import closed_to
from systems.openshift import OpenShift
from tasks import connect

KIND = "sync"
"""Of what the run waits for; begins the keys of its suspensions."""

POLL = 5.0
"""Seconds between two looks at the cluster."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that Vault needs on the cluster, the Application that brings it, and whether it is there."""

    what: str
    application: str
    there: bool


def wanted(
    openshift: OpenShift, request: ClusterRequest, applications: ApplicationNames, versions: tuple[str, ...]
) -> Iterator[Wanted]:
    """What the cluster needs, in the order in which it has to be synced.

    Args:
        openshift: the cluster.
        request: the run's parameters.
        applications: to name.
        versions: of the SecretStore that the cluster serves.
    """
    resources = applications.resources
    app_of_apps = f"{applications.app_of_apps}, then {applications.namespace}"
    external = f"{applications.operator} ({applications.app_of_apps} makes it)"
    operator = request.conventions.operator
    account = _account(openshift, operator.namespace, operator.reviewer)
    reached = account is not None
    yield Wanted(f"namespace {operator.namespace}", app_of_apps, reached)
    store = request.conventions.store
    crd = f"CRD {store.crd} (the operator brings it; its install plan may wait for approval)"
    yield Wanted(crd, applications.installing, reached and bool(versions))
    for namespace in request.account_namespaces:
        starter = _account(openshift, namespace, request.service_account) if reached else None
        if starter is None:
            yield Wanted(f"namespace {namespace}", resources, False)
        else:
            yield Wanted(f"ServiceAccount {namespace}/{request.service_account}", resources, starter)
    if store.is_cluster_wide:
        yield from _opened(openshift, request, resources, versions if reached else ())
    reviewer = operator.account
    # Answered by name: the binding may be there before the ServiceAccount is.
    bound = reached and (
        openshift.service_account_can(operator.namespace, operator.reviewer, REVIEW_TOKENS) is not False
    )
    yield Wanted(f"ClusterRoleBinding of {reviewer} to {AUTH_DELEGATOR}", applications.namespace, bound)
    yield Wanted(f"ServiceAccount {reviewer}", external, bool(account))
    if request.reviewer_token == "secret":  # noqa: S105 - a mode, not a token
        secret = openshift.token_secret(operator.namespace, operator.reviewer_token) if account else None
        there = secret is not None and secret.token is not None
        yield Wanted(f"token in {operator.secret}", external, there)


def lacks(openshift: OpenShift, request: ClusterRequest) -> tuple[str, ...]:
    """What the cluster lacks now, in the words in which the run says it."""
    versions = openshift.served_versions(request.conventions.store.crd)
    return tuple(one.what for one in wanted(openshift, request, IN_WORDS, versions) if not one.there)


def _opened(
    openshift: OpenShift, request: ClusterRequest, application: str, versions: tuple[str, ...]
) -> Iterator[Wanted]:
    """The run's namespaces, and the ClusterSecretStore that their workloads may use.

    Nothing of its own comes into a namespace by which a sync could be seen.
    """
    name, namespaces = request.conventions.store.name, request.namespaces
    for namespace in namespaces:
        yield Wanted(f"namespace {namespace}", application, openshift.namespace_exists(namespace))
    state = openshift.secret_store("", name, versions[0]) if versions else None
    what = f"ClusterSecretStore {name} that is open to {', '.join(namespaces)}"
    yield Wanted(what, application, state is not None and not closed_to(state.spec, namespaces))


def _account(openshift: OpenShift, namespace: str, name: str) -> bool | None:
    """Whether a ServiceAccount is there; None where its namespace is not, in which we may have no rights yet.

    The namespace of one that is there is there, too.
    """
    try:
        if openshift.service_account_uid(namespace, name) is not None:
            return True
    except AccessDenied:
        if openshift.namespace_exists(namespace):
            raise
        return None
    return False if openshift.namespace_exists(namespace) else None


@step("wait until synced")
def look_whether_synced(
    request: ClusterRequest, applications: ApplicationNames, served_versions: tuple[str, ...]
) -> tuple[str, ...] | Lacking:
    """Look, for some seconds, whether everything of the change that Vault needs is on the cluster.

    Args:
        request: the run's parameters.
        applications: to name in messages.
        served_versions: of the SecretStore, as this execution has just seen them; empty if none yet.

    Returns:
        The versions of the SecretStore that the cluster serves.

    Raises:
        NotYetSynced: ``sync_timeout`` has passed; names what is missing and the Application to sync next.
    """

    def show_progress(there: int, of: int, what: str) -> None:
        words = f"{there} of {of} objects are on {request.cluster}; {what}"
        show("sync", request.subject, round(100 * there / of), words, "progress")

    timeout = seconds("sync_timeout", request.sync_timeout)
    with connect.openshift(request) as openshift:
        seeing = Seeing(openshift, request, applications, served_versions, show_progress)
        return look_for(KIND, timeout, POLL, seeing.look)


@dataclass
class Seeing:
    """Looks at a cluster, and tells when what is there has changed.

    Attributes:
        openshift: the cluster.
        request, applications, served_versions: see `look_whether_synced`.
        show_progress: takes how many objects are there, of how many, and what is next.
    """

    openshift: OpenShift
    request: ClusterRequest
    applications: ApplicationNames
    served_versions: tuple[str, ...] = ()
    show_progress: Callable[[int, int, str], None] = lambda *_: None
    _said: tuple[int, int, str] | None = field(default=None, init=False)

    def look(self, is_last: bool) -> tuple[str, ...] | Lacking:
        """Look once; returns the served versions of the SecretStore, or what lacks.

        Raises:
            NotYetSynced: something lacks, and this was the last look.
        """
        request, openshift, logger = self.request, self.openshift, get_run_logger()
        crd = request.conventions.store.crd
        self.served_versions = self.served_versions or openshift.served_versions(crd)
        everything = list(wanted(openshift, request, self.applications, self.served_versions))
        lacking = [one for one in everything if not one.there]
        first = next(iter(lacking), None)
        words = f"waiting for {first.what}; sync {first.application} in ArgoCD" if first else "all are there"
        seen = (len(everything) - len(lacking), len(everything), words)
        # What is there at the first look was never waited for.
        if seen != self._said and (first or self._said):
            self.show_progress(*seen)
            logger.info("%s: %s of %s objects are there; %s", request.cluster, *seen)
            self._said = seen
        if first is None:
            served = ", ".join(self.served_versions)
            logger.info(
                "%s has everything that Vault needs; SecretStore is served as %s", request.cluster, served
            )
            return self.served_versions
        if is_last:
            raise NotYetSynced(
                "OpenShift",
                request.cluster,
                f"after {request.sync_timeout} still lacks {'; '.join(part.what for part in lacking)}",
                f"Sync next in ArgoCD: {first.application}. Then retry this run.",
            )
        return _lacking(lacking, request.cluster)


def _lacking(left: Sequence[Wanted], cluster: str) -> Lacking:
    first, *others = left
    more = f" and {len(others)} more" if others else ""
    lines = [f"- {markdown(one.what)}: sync {markdown(one.application)}" for one in left]
    return Lacking(
        tuple(one.what for one in left),
        f"{first.what}{more} on {cluster}; sync {first.application} in ArgoCD",
        "\n".join(["What the cluster still lacks, in the order of syncing:", "", *lines]),
    )


async def wait_until_synced(
    request: ClusterRequest,
    applications: ApplicationNames,
    served_versions: tuple[str, ...],
    approved: ApprovedPlan,
) -> tuple[str, ...]:
    """The versions of the SecretStore that the cluster serves, once it has everything; see the step above.

    Suspends the run while it has not.
    """
    return await wait_for(
        KIND, lambda: look_whether_synced(request, applications, served_versions, wait_for=[approved])
    )
