"""Step: prove that the cluster's workloads can read their secrets, and nobody else's."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from prefect import get_run_logger

from runbook.diagnosis import StoreMissing
from runbook.diagnosis.cause import one_line
from runbook.errors import PermanentError, PrerequisiteMissing, VerificationFailed
from runbook.names import SECRET_STORE, SECRETS_MOUNT
from runbook.policies import role_policy
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Refused, Vault
from tasks import connect
from tasks.auth_config import SHORTEST_TOKEN
from tasks.diagnose import failure, look_into
from tasks.diagnosis.login import PROBE
from tasks.diagnosis.store import store_not_ready
from tasks.step import look
from tasks.wait_until_synced import SECRET_STORE_CRD

STORE_TIMEOUT = 360.0
"""Seconds until a SecretStore must be Ready: above the operator's requeue interval, usually 5 minutes."""

_POLL = 2.0


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried, and how it came out. ``proved`` is None where it could not be tried."""

    claim: str
    proved: bool | None
    seen: str


def prove_login(vault: Vault, openshift: OpenShift, request: EnableRequest, namespace: str) -> list[Proof]:
    """Log in as the starter ServiceAccount of a namespace and try what its session may do.

    The session is revoked, whatever happens, where the role lets it revoke itself.

    Raises:
        VerificationFailed: the login is refused, or the session may do too little or too much.
    """
    target = request.target
    account = f"{namespace}/{request.service_account}"
    token = openshift.request_token(namespace, request.service_account, SHORTEST_TOKEN).token
    login = vault.log_in(target.mount, {"role": target.role, "jwt": token})
    if isinstance(login, Refused):
        raise _not_proved(
            f"login of {account} at {target.mount}, role {target.role}", str(login), target.mount
        )
    session = vault.as_session(login)
    try:
        policy = role_policy(request)
        if policy not in login.policies:
            raise _not_proved(
                f"session of {account}", f"has the policies {', '.join(login.policies)}", target.mount
            )
        proofs = [
            Proof(f"{account} logs in at {target.mount} with role {target.role}", True, "200"),
            Proof(f"its session carries {policy}", True, ", ".join(login.policies)),
            _may_read(session, f"{target.env}/{target.name}/{PROBE}", wanted=True),
            _may_read(session, f"not-{target.env}/{PROBE}", wanted=False),
        ]
        if request.policy_scope == "cluster":
            proofs.append(_may_read(session, f"{target.env}/not-{target.name}/{PROBE}", wanted=False))
    finally:
        left = _end(session)
    return proofs + left


def _end(session: Vault) -> list[Proof]:
    try:
        session.revoke_own_token()
    except PermanentError as error:
        # A batch token, or one without the policy `default`: meant so, and no fault of the login.
        return [Proof("its session is ended", None, f"not ended, it ends by itself: {error.answer}")]
    return []


def _may_read(session: Vault, secret: str, *, wanted: bool) -> Proof:
    path = f"{SECRETS_MOUNT}/data/{secret}"
    answer = session.look(path)
    # 404 is "no such secret" where reading is allowed, and also "no such secrets engine".
    no_engine = any("no handler for route" in error for error in answer.errors)
    allowed = answer.status in {200, 404} and not no_engine
    if allowed is not wanted or (not allowed and answer.status != 403):
        raise _not_proved(
            f"reading {path}",
            f"{answer.words}, where it {'must' if wanted else 'must not'} be allowed",
            "the policies of the role",
        )
    claim = f"it {'may' if wanted else 'may not'} read {SECRETS_MOUNT}/{secret.rsplit('/', 1)[0]}/"
    return Proof(claim, True, str(answer.status))


def _not_proved(subject: str, answer: str, where: str) -> VerificationFailed:
    return VerificationFailed(
        "Vault",
        subject,
        answer,
        f"Look at {where} in Vault and at the ServiceAccount on the cluster, then retry this run; "
        "Vault's own log has the cause of a 'permission denied'.",
    )


def await_store(openshift: OpenShift, request: EnableRequest, namespace: str, timeout: float) -> Proof:
    """Wait until the SecretStore of a namespace is Ready, where the operator runs.

    Raises:
        VerificationFailed: it is not Ready in time; the message has the operator's Event.
    """
    claim = f"SecretStore {namespace}/{SECRET_STORE} is Ready"
    running = openshift.operator_running()
    if running is not True:
        why = "no ESO on this cluster" if running is False else "we may not look for ESO's Deployment"
        return Proof(claim, None, f"not proved: {why}")
    versions = openshift.served_versions(SECRET_STORE_CRD)
    deadline = time.monotonic() + timeout
    while True:
        state = openshift.secret_store(namespace, SECRET_STORE, versions[0]) if versions else None
        if state is not None and state.ready:
            return Proof(claim, True, state.message or state.reason or "Ready")
        if time.monotonic() >= deadline:
            store = f"{namespace}/{SECRET_STORE}"
            cause = StoreMissing(store) if state is None else store_not_ready(namespace, state)
            waited = f"{one_line(cause.answer)}; waited {timeout:.0f} s"
            raise VerificationFailed(cause.system, cause.subject, waited, cause.remedy)
        time.sleep(_POLL)


@look("verify the login")
def verify_login(request: EnableRequest) -> dict[str, Any]:
    """Prove the login in each namespace, and that the operator's SecretStores are Ready where it runs.

    Returns:
        ``proofs``: each claim with what was seen.

    Raises:
        VerificationFailed: the login is refused or its session is wrong: the cause that the diagnosis
            found; or see `await_store`.
    """
    logger = get_run_logger()
    proofs: list[Proof] = []

    def keep(*made: Proof) -> None:
        for proof in made:
            logger.info("%s: %s", proof.claim, proof.seen)
        proofs.extend(made)

    with connect.openshift(request) as openshift, connect.vault(request) as vault:
        try:
            for namespace in request.namespaces:
                keep(*prove_login(vault, openshift, request, namespace))
        except (VerificationFailed, PrerequisiteMissing) as error:
            # If the diagnosis finds nothing wrong, somebody has mended it meanwhile: what was seen stands.
            raise failure(look_into(vault, openshift, request)) or error from error
        for namespace in request.namespaces:
            keep(await_store(openshift, request, namespace, STORE_TIMEOUT))
    keep(
        Proof(
            f"a person in the identity provider's group {request.target.admin_group} gets "
            f"{request.target.write_policy}",
            None,
            "left to people: no run can log in at the identity provider for them",
        )
    )
    return {"proofs": [asdict(proof) for proof in proofs]}
