"""What the operator says of the SecretStore of a namespace."""

from __future__ import annotations

from runbook.diagnosis import StoreMissing, StoreNotReady
from runbook.diagnosis.examination import Findings
from runbook.names import SECRET_STORE
from systems.openshift import OpenShift, SecretStoreState
from tasks.diagnosis.asking import ask
from tasks.wait_until_synced import SECRET_STORE_CRD


def store_not_ready(namespace: str, state: SecretStoreState) -> StoreNotReady:
    """The cause, with the operator's last Event: its condition says only ``InvalidProviderConfig``."""
    seen = ": ".join(part for part in (state.reason, state.message) if part) or "no operator has looked at it"
    return StoreNotReady(f"{namespace}/{SECRET_STORE}", seen, state.events[-1] if state.events else "")


def ask_stores(findings: Findings, openshift: OpenShift, namespaces: tuple[str, ...]) -> None:
    """Whether the SecretStores are Ready, where the operator runs."""
    question = "Are the SecretStores Ready?"
    running = ask(findings, question, "OpenShift", openshift.operator_running, matters=False)
    if running is None:
        return
    if running.value is not True:
        why = "no ESO on this cluster" if running.value is False else "we may not look for ESO's Deployment"
        findings.unknown(question, "OpenShift", why, matters=False)
        return
    served = ask(
        findings, question, "OpenShift", lambda: openshift.served_versions(SECRET_STORE_CRD), matters=False
    )
    if served is None:
        return
    for namespace in namespaces:
        _store(findings, openshift, namespace, served.value)


def _store(findings: Findings, openshift: OpenShift, namespace: str, versions: tuple[str, ...]) -> None:
    question = f"Is SecretStore {namespace}/{SECRET_STORE} Ready?"
    state = ask(
        findings,
        question,
        "OpenShift",
        lambda: openshift.secret_store(namespace, SECRET_STORE, versions[0]) if versions else None,
        matters=False,
    )
    if state is None:
        return
    if state.value is None:
        findings.wrong(question, StoreMissing(f"{namespace}/{SECRET_STORE}"), namespace)
    elif state.value.ready:
        findings.right(question, "OpenShift", "yes")
    else:
        findings.wrong(question, store_not_ready(namespace, state.value), namespace)
