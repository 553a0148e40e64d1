"""Step: prove that the cluster's workloads can read their secrets, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prefect import get_run_logger

from change.gate.lack import Lacking, look_for, wait_for
from change.step import Outcome, step
from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.durations import seconds
from runbook.errors import PrerequisiteMissing, VerificationFailed
from runbook.foreign_text import markdown, plain
from runbook.hosts import ApiServer
from runbook.report import NOT_SEEN, READY, Proof
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore
from systems.openshift import OpenShift
from systems.vault import Refused, Vault
from tasks.diagnose import asked, failure, look_into
from tasks.diagnosis.store import KIND, Look, OperatorSeen, look_at_store
from tasks.starter_login import (
    MAY_READ,
    PROBE,
    USED_UP,
    Tried,
    end_session,
    is_used_up,
    log_in_as_starter,
    starter_token,
    try_reading,
)

POLL = 2.0
"""Seconds between two looks at the cluster."""


def prove_login(
    vault: Vault, openshift: OpenShift, request: ClusterRequest, api: ApiServer, namespace: str
) -> list[Proof]:
    """Log in as the starter ServiceAccount of a namespace and try what its session may do.

    The session is revoked, whatever happens, where the role lets it revoke itself. A session that could still
    be revoked was good until then, so that what it was refused, it may not do; any other is tried once more.

    Raises:
        VerificationFailed: the login is refused, or the session may do too little or too much.
    """
    target = request.target
    account = f"{namespace}/{request.service_account}"
    login = log_in_as_starter(vault, request, api, starter_token(openshift, request, namespace))
    if isinstance(login, Refused):
        raise _not_proved(
            f"login of {account} at {target.mount}, role {target.role}", str(login), target.mount
        )
    session = vault.as_session(login)
    try:
        policy = request.role_policy
        if policy not in login.policies:
            raise _not_proved(
                f"session of {account}", f"has the policies {', '.join(login.policies)}", target.mount
            )
        proofs = [
            Proof(f"{account} logs in at {target.mount} with role {target.role}", True, "200"),
            Proof(f"its session has the policy {policy}", True, ", ".join(login.policies)),
        ]
        own, *others = map(_checked, try_reading(session, request))
    finally:
        left = end_session(session)
    used_up = left != "" and is_used_up(session, own)
    proofs += [_read(own), *(_read(other, used_up=used_up) for other in others)]
    return [*proofs, Proof("its session is revoked", None, f"not revoked: {left}")] if left else proofs


def _checked(tried: Tried) -> Tried:
    """What was tried, if it came out as it must.

    Raises:
        VerificationFailed: it did not.
    """
    answer, must = tried.answer, "must" if tried.is_own else "must not"
    no_engine = any("no handler for route" in error for error in answer.errors)
    if (answer.status not in MAY_READ or no_engine) if tried.is_own else answer.status != 403:
        where = "the policies of the role"
        raise _not_proved(f"reading {tried.path}", f"{answer.words}, but it {must} be allowed", where)
    return tried


def _read(tried: Tried, *, used_up: bool = False) -> Proof:
    folder = f"{tried.mount}/{tried.secret.removesuffix(PROBE)}"
    claim = f"its session {'may' if tried.is_own else 'may not'} read {folder}"
    seen = {403: "refused (403)", 404: "allowed (404: no such secret)"}.get(tried.answer.status, "allowed")
    return Proof(claim, None, USED_UP) if used_up else Proof(claim, True, seen)


def _not_proved(subject: str, answer: str, where: str) -> VerificationFailed:
    return VerificationFailed(
        "Vault",
        subject,
        answer,
        f"Check {where} in Vault and the ServiceAccount on the cluster, then retry this run; "
        "Vault's own log has the cause of a 'permission denied'.",
    )


@dataclass
class Stores:
    """The SecretStores of a run: on a new cluster the operator comes after our sync.

    Attributes:
        openshift: the cluster.
        meant: the store that a run brings.
        left: namespaces whose stores are not decided; an empty one is that of a ClusterSecretStore.
        timeout: seconds for all: it is the operator that is waited for, and it looks at all of them.
        say: takes what is waited for, whenever that changes.
        applications: the names to say in remedies.
        versions: of the SecretStore, as this execution has seen them.
    """

    openshift: OpenShift
    meant: VaultStore
    left: Sequence[str]
    timeout: float
    say: Callable[[str], object] = lambda _words: None
    applications: ApplicationNames = IN_WORDS
    versions: tuple[str, ...] = ()
    _said: dict[str, str] = field(default_factory=dict, init=False)
    _proofs: list[Proof] = field(default_factory=list, init=False)

    def look(self, is_last: bool) -> tuple[Proof, ...] | Lacking:
        """Look once at those that are not decided yet.

        Returns:
            Of each whether it is proved, or not proved with what was seen: no operator looks at the store, or
            somebody has made it lead elsewhere and no operator says that it does not work. Neither is a fault
            of what the run made.

        Raises:
            VerificationFailed: this was the last look, and one is not as it should be; the message has the
                operator's Event.
        """
        operator = OperatorSeen(self.openshift, self.meant, self.versions)
        undecided = []
        for namespace in self.left:
            look, store = look_at_store(operator, namespace), self.meant.called(namespace)
            if look.is_decided or is_last:
                self._proofs.append(_proof_of_store(look, store, self.timeout, self.applications))
                continue
            undecided.append(namespace)
            if look.words != self._said.get(namespace):
                self._said[namespace] = look.words
                self.say(f"waiting until {store} is Ready: {plain(look.words)}")
        self.left = undecided
        if not self.left:
            return tuple(self._proofs)
        names = tuple(map(self.meant.called, self.left))
        are_ready = f" and {len(names) - 1} more are Ready" if names[1:] else " is Ready"
        seen = [f"- {markdown(self.meant.called(one))}: {markdown(self._said[one])}" for one in self.left]
        return Lacking(
            names,
            f"the operator, until {names[0]}{are_ready}",
            "\n".join(
                ["All is written, and the login works. The operator looks every 5 minutes:", "", *seen]
            ),
        )


def _proof_of_store(look: Look, store: str, timeout: float, applications: ApplicationNames) -> Proof:
    if look.ready:
        return Proof(f"{store} is Ready", True, look.words, READY)
    waited = "" if look.never or look.meant_otherwise else f"; waited {timeout:.0f} s"
    if look.cause is not None and not look.meant_otherwise:
        answer = f"{plain(look.words)}{waited}"
        remedy = applications.put_into(look.cause.remedy)
        raise VerificationFailed(look.cause.system, look.cause.subject, answer, remedy)
    doubt = f"{store} points elsewhere" if look.meant_otherwise else NOT_SEEN
    return Proof(f"{store} is Ready", None, f"not proved: {plain(look.words)}{waited}", doubt)


@step("verify the login")
def prove(
    request: ClusterRequest, applications: ApplicationNames, synced: tuple[str, ...]
) -> tuple[Proof, ...] | Lacking:
    """Prove the login in each namespace, and that the operator's SecretStores are Ready where it runs.

    Args:
        request: the run's parameters.
        applications: to name in messages.
        synced: the versions of the SecretStore that the cluster serves.

    Returns:
        Each claim with what was seen; or the stores of which the operator has not said anything yet.

    Raises:
        VerificationFailed: the login is refused or its session is wrong: the cause that the diagnosis
            found; or see `Stores.look`.
    """
    logger = get_run_logger()
    proofs: list[Proof] = []

    def keep(*made: Proof) -> None:
        for proof in made:
            logger.info("%s: %s", proof.claim, plain(proof.seen))
        proofs.extend(made)

    with asked(request, applications) as systems:
        try:
            for namespace in request.account_namespaces:
                keep(*prove_login(systems.vault, systems.openshift, request, systems.api, namespace))
        except (VerificationFailed, PrerequisiteMissing) as error:
            # If the diagnosis finds nothing wrong, somebody has mended it meanwhile: what was seen stands.
            raise failure(look_into(systems)) or error from error
        timeout = seconds("store_timeout", request.store_timeout)
        stores = Stores(
            systems.openshift,
            systems.store,
            request.store_namespaces,
            timeout,
            logger.info,
            applications,
            synced,
        )
        found = look_for(KIND, timeout, POLL, stores.look)
        if isinstance(found, Lacking):
            return found
        keep(*found)
    target = request.target
    if target.admin_group:
        keep(
            Proof(
                f"a person in the identity provider's group {target.admin_alias} gets {target.write_policy}",
                None,
                "left to people: a run cannot log in at the identity provider",
            )
        )
    return tuple(proofs)


async def verify_login(
    request: ClusterRequest, applications: ApplicationNames, synced: tuple[str, ...], role: Outcome
) -> tuple[Proof, ...]:
    """The same; suspends the run while the operator has not looked at its stores."""
    return await wait_for(KIND, lambda: prove(request, applications, synced, wait_for=[role]))
