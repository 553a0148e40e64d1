"""What the operator says of the SecretStore of a namespace, and of the ExternalSecrets that use it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from runbook.diagnosis.cause import Cause
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Findings, NotKnown, Verdict
from runbook.vault_store import VaultStore
from systems.openshift import ExternalSecretState, OpenShift, SecretStoreState
from tasks.diagnosis.asking import Asked

ALIVE = timedelta(minutes=15)
"""Three times the operator's usual interval: a store without a sign of it for longer is not reconciled."""

KIND = "store"
"""Of what a run waits for that waits for the operator; begins the keys of its suspensions."""

_MANY = 20


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a SecretStore.

    Attributes:
        words: what was seen.
        ready: True where it is proved to work, False where it is not as it should be (``cause`` says why),
            None where nobody can say, or not yet.
        never: nothing on this cluster will ever look at it; there is nothing to wait for.
        meant_otherwise: it leads elsewhere, and nobody says that it does not work: a decision of somebody's,
            in Git or on the cluster.
    """

    words: str
    ready: bool | None = None
    cause: Cause | None = None
    never: bool = False
    meant_otherwise: bool = False

    @property
    def is_decided(self) -> bool:
        """Whether there is nothing to wait for."""
        return bool(self.ready or self.never or self.meant_otherwise)


@dataclass(frozen=True)
class OperatorSeen:
    """What the cluster shows of its operator now; asked when it is needed, and once.

    Attributes:
        openshift: the cluster.
        meant: the stores to look at.
        before: the versions of the SecretStore that were seen a moment ago, if any.
    """

    openshift: OpenShift
    meant: VaultStore
    before: tuple[str, ...] = ()

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """Of the store; empty while its kind is not served."""
        return self.openshift.served_versions(self.meant.crd)

    def store(self, namespace: str) -> SecretStoreState | None:
        """The store of a namespace in a version of before, or else of now; None if it is not there."""
        return self._store(namespace, self.before) or self._store(namespace, self.versions)

    def _store(self, namespace: str, versions: tuple[str, ...]) -> SecretStoreState | None:
        return self.openshift.secret_store(namespace, self.meant.name, versions[0]) if versions else None

    @cached_property
    def running(self) -> bool | None:
        """See `OpenShift.operator_running`."""
        return self.openshift.operator_running()


def look_at_store(operator: OperatorSeen, namespace: str, now: datetime | None = None) -> Look:
    """Judge the store of a namespace by what the operator wrote on it, and when.

    Whether an operator runs is told by what it does: it may lack the chart's label, or run elsewhere.
    """
    state, meant, now = operator.store(namespace), operator.meant, now or datetime.now(UTC)
    store = f"{namespace}/{meant.name}" if namespace else meant.name
    if state is None:
        if not operator.versions and operator.running is not True:
            return Look(f"no ESO on this cluster: it does not serve {meant.crd}", never=True)
        return _fault(Causes.STORE_MISSING.of(kind=meant.kind, store=store))
    differences = state.vault.differences(meant, with_ca=not state.ready)
    if differences:
        differs = "; ".join(differences)
        cause = Causes.STORE_DIFFERS.of(kind=meant.kind, store=store, differences=differs, seen=_seen(state))
        return replace(_fault(cause), meant_otherwise=state.ready is not False)
    awaited = state.ready is None and operator.running is not True
    idle = _idle(state, operator, now)
    if idle or not (state.ready or awaited):
        # Only now its Events matter: they tell why it is not Ready, or of a later sign of life.
        state = operator.openshift.with_events(state, namespace, meant.name)
        idle = _idle(state, operator, now)
    if state.ready:
        since = f", since {state.since:%Y-%m-%d %H:%M} UTC" if state.since else ""
        seen = f"{state.message or state.reason or 'Ready'}{since}"
        seen = f"{seen}{state.vault.not_checked}"
        return Look(f"{seen}, but {idle}") if idle else Look(seen, ready=True)
    if awaited:
        return Look(idle or "no operator has reconciled it yet")
    seen = "; ".join(filter(None, (_seen(state), idle)))
    return _fault(
        Causes.STORE_NOT_READY.of(kind=meant.kind, store=store, seen=seen, event=_last_event(state))
    )


def undecided(openshift: OpenShift, meant: VaultStore, namespaces: Iterable[str]) -> tuple[str, ...]:
    """The stores of these namespaces of which the operator has not said anything that counts yet."""
    operator = OperatorSeen(openshift, meant)
    return tuple(meant.called(one) for one in namespaces if not look_at_store(operator, one).is_decided)


def _fault(cause: Cause) -> Look:
    return Look(cause.answer, ready=False, cause=cause)


def _last_event(state: SecretStoreState | ExternalSecretState) -> str:
    """The operator's last word on it, for the end of a sentence; empty if there is none."""
    event = state.events[-1] if state.events else ""
    return f" (Event: {event})" if event else ""


def _idle(state: SecretStoreState, operator: OperatorSeen, now: datetime) -> str:
    """That nothing reconciles the store; empty where something does, or may."""
    if (state.last_change and now - state.last_change < ALIVE) or operator.running:
        return ""
    when = f"{state.last_change:%Y-%m-%d %H:%M} UTC" if state.last_change else "not known"
    return f"nothing reconciles this store: last change {when}"


def _seen(state: SecretStoreState | ExternalSecretState) -> str:
    return ": ".join(filter(None, (state.reason, state.message))) or "no operator has reconciled it"


def ask_store(findings: Findings, asked: Asked, namespace: str) -> None:
    """Whether a store works, and which ExternalSecrets that use it are not synced.

    Args:
        findings: takes what is seen.
        asked: the systems, and the store that is meant.
        namespace: whose store; empty for a ClusterSecretStore.
    """
    operator = OperatorSeen(asked.openshift, asked.store)

    def is_ready(look: Look) -> Verdict:
        return look.cause or (f"yes: {look.words}" if look.ready else NotKnown(look.words))

    look = findings.ask(
        f"Is {asked.store.called(namespace)} Ready?",
        "OpenShift",
        lambda: look_at_store(operator, namespace),
        is_ready,
        namespace=namespace,
        matters=False,
    )[0]
    if look is None or look.never:
        return
    for one in (namespace,) if namespace else asked.request.namespaces:
        _ask_secrets(findings, asked, operator, one)


def _ask_secrets(findings: Findings, asked: Asked, operator: OperatorSeen, namespace: str) -> None:
    openshift, store = asked.openshift, asked.store
    question = f"Are the ExternalSecrets of {namespace}/{store.name} synced?"

    def unsynced() -> tuple[ExternalSecretState, ...]:
        versions = operator.versions
        if not versions:
            return ()
        return openshift.unsynced_secrets(namespace, store.name, versions[0], store.kind)

    found, _ = findings.ask(
        question, "OpenShift", unsynced, lambda left: None if left else "yes", matters=False
    )
    for one in (found or ())[:_MANY]:
        secret = f"{namespace}/{one.name}"
        cause = Causes.EXTERNAL_SECRET_NOT_SYNCED.of(secret=secret, seen=_seen(one), event=_last_event(one))
        findings.say(question, cause, namespace=namespace)
    if found and len(found) > _MANY:
        findings.say(question, NotKnown(f"{len(found) - _MANY} more are not"), "OpenShift", matters=False)
