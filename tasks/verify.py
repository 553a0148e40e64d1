"""Step: prove that the cluster's workloads can read their secrets, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Callable

from prefect import get_run_logger

from change.step import look
from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.durations import seconds
from runbook.errors import PrerequisiteMissing, VerificationFailed
from runbook.foreign_text import plain
from runbook.hosts import ApiServer
from runbook.names import SECRET_STORE, SECRETS_MOUNT
from runbook.report import NOT_SEEN, READY, Proof
from runbook.request import ClusterRequest
from runbook.vault_store import VaultStore
from systems.openshift import OpenShift
from systems.vault import Refused, Vault
from tasks.diagnose import asked, failure, look_into
from tasks.diagnosis.store import look_at_store
from tasks.starter_login import (
    MAY_READ,
    PROBE,
    USED_UP,
    Tried,
    end_session,
    log_in_as_starter,
    starter_token,
    try_reading,
)

_POLL = 2.0


def prove_login(
    vault: Vault, openshift: OpenShift, request: ClusterRequest, api: ApiServer, namespace: str
) -> list[Proof]:
    """Log in as the starter ServiceAccount of a namespace and try what its session may do.

    The session is revoked, whatever happens, where the role lets it revoke itself.

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
            Proof(f"its session carries {policy}", True, ", ".join(login.policies)),
            *map(_read, try_reading(session, request)),
        ]
    finally:
        left = end_session(session)
    return [*proofs, Proof("its session is ended", None, f"not ended, {left}")] if left else proofs


def _read(tried: Tried) -> Proof:
    answer, must = tried.answer, "must" if tried.is_own else "must not"
    no_engine = any("no handler for route" in error for error in answer.errors)
    if (answer.status not in MAY_READ or no_engine) if tried.is_own else answer.status != 403:
        where = "the policies of the role"
        raise _not_proved(f"reading {tried.path}", f"{answer.words}, where it {must} be allowed", where)
    folder = f"{SECRETS_MOUNT}/{tried.secret.removesuffix(PROBE)}"
    if tried.is_used_up:
        return Proof(f"it may not read {folder}", None, USED_UP)
    return Proof(f"it {'may' if tried.is_own else 'may not'} read {folder}", True, str(answer.status))


def _not_proved(subject: str, answer: str, where: str) -> VerificationFailed:
    return VerificationFailed(
        "Vault",
        subject,
        answer,
        f"Look at {where} in Vault and at the ServiceAccount on the cluster, then retry this run; "
        "Vault's own log has the cause of a 'permission denied'.",
    )


def await_store(
    openshift: OpenShift,
    meant: VaultStore,
    namespace: str,
    timeout: float,
    say: Callable[[str], object] = lambda _words: None,
    applications: ApplicationNames = IN_WORDS,
) -> Proof:
    """Wait until the SecretStore of a namespace is Ready: on a new cluster the operator comes after our sync.

    Args:
        openshift: the cluster.
        meant: the SecretStore that a run brings.
        namespace: whose.
        timeout: seconds.
        say: takes what is waited for, whenever that changes.
        applications: the names to say in remedies.

    Returns:
        Proved, or not proved with what was seen: no operator looks at the store, or somebody has made it
        lead elsewhere and no operator says that it does not work. Neither is a fault of what the run made.

    Raises:
        VerificationFailed: it is not as it should be in time; the message has the operator's Event.
    """
    store = f"{namespace}/{SECRET_STORE}"
    deadline = time.monotonic() + timeout
    said = ""
    while True:
        look = look_at_store(openshift, namespace, meant)
        if look.ready:
            return Proof(f"SecretStore {store} is Ready", True, look.words, READY)
        if look.never or look.meant_otherwise or time.monotonic() >= deadline:
            break
        if look.words != said:
            said = look.words
            say(f"waiting until SecretStore {store} is Ready: {plain(said)}")
        time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))
    waited = "" if look.never or look.meant_otherwise else f"; waited {timeout:.0f} s"
    if look.cause is not None and not look.meant_otherwise:
        answer = f"{plain(look.words)}{waited}"
        remedy = applications.put_into(look.cause.remedy)
        raise VerificationFailed(look.cause.system, look.cause.subject, answer, remedy)
    doubt = f"SecretStore {store} leads elsewhere" if look.meant_otherwise else NOT_SEEN
    return Proof(f"SecretStore {store} is Ready", None, f"not proved: {plain(look.words)}{waited}", doubt)


@look("verify the login")
def verify_login(request: ClusterRequest, applications: ApplicationNames) -> tuple[Proof, ...]:
    """Prove the login in each namespace, and that the operator's SecretStores are Ready where it runs.

    Args:
        request: the run's parameters.
        applications: to name in messages.

    Returns:
        Each claim with what was seen.

    Raises:
        VerificationFailed: the login is refused or its session is wrong: the cause that the diagnosis
            found; or see `await_store`.
    """
    logger = get_run_logger()
    proofs: list[Proof] = []

    def keep(*made: Proof) -> None:
        for proof in made:
            logger.info("%s: %s", proof.claim, plain(proof.seen))
        proofs.extend(made)

    with asked(request, applications) as systems:
        try:
            for namespace in request.namespaces:
                keep(*prove_login(systems.vault, systems.openshift, request, systems.api, namespace))
        except (VerificationFailed, PrerequisiteMissing) as error:
            # If the diagnosis finds nothing wrong, somebody has mended it meanwhile: what was seen stands.
            raise failure(look_into(systems)) or error from error
        # One time for all: the operator looks at all of them, and it is the operator that is waited for.
        deadline = time.monotonic() + seconds("store_timeout", request.store_timeout)
        for namespace in request.namespaces:
            left = max(0.0, deadline - time.monotonic())
            keep(await_store(systems.openshift, systems.store, namespace, left, logger.info, applications))
    keep(
        Proof(
            f"a person in the identity provider's group {request.target.admin_group} gets "
            f"{request.target.write_policy}",
            None,
            "left to people: no run can log in at the identity provider for them",
        )
    )
    return tuple(proofs)
