"""What runs still lack after their merge, asked of their cluster by whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from change.runbook import Lack
from runbook.errors import PermanentError
from runbook.request import ClusterRequest
from systems.openshift import OpenShift
from tasks import connect
from tasks.diagnosis.store import KIND as STORES
from tasks.diagnosis.store import undecided
from tasks.wait_until_synced import KIND as SYNC
from tasks.wait_until_synced import lacks

KINDS = (SYNC, STORES)
"""Of what a run may lack after its merge."""

_PATIENCE = 5.0
"""Seconds for one answer: half of what a run takes, which looks at one cluster."""


def prepare(several: Sequence[tuple[ClusterRequest, str]]) -> Callable[[], list[Lack]]:
    """See `Runbook.prepare_visit`; all are runs with one ClusterConnection."""
    connection = connect.cluster_connection(several[0][0])
    questions = [_question(request, kind) for request, kind in several]

    def visit() -> list[Lack]:
        with connection.client(_PATIENCE, asks_once=True) as openshift:
            return [_answer(ask, openshift) for ask in questions]

    return visit


def _question(request: ClusterRequest, kind: str) -> Callable[[OpenShift], tuple[str, ...]] | PermanentError:
    if kind != STORES:
        return lambda openshift: lacks(openshift, request)
    try:
        meant = connect.store(request, connect.vault_connection(request))
    except PermanentError as error:
        return error
    return lambda openshift: undecided(openshift, meant, request.store_namespaces)


def _answer(ask: Callable[[OpenShift], tuple[str, ...]] | PermanentError, openshift: OpenShift) -> Lack:
    # What is wrong with one run it says itself; the others are not to wait for it.
    if isinstance(ask, PermanentError):
        return ask
    try:
        return ask(openshift)
    except PermanentError as error:
        return error
