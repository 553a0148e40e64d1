"""The one way to log in to Vault as the starter ServiceAccount, and to end its session.

At each login Vault sends its reviewer JWT and the client's token to the host of the mount's config. So the
config is read first: where it does not lead to the host of the ClusterConnection, under its CA, no token
leaves us.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from runbook.bound_names import allows_address
from runbook.diagnosis.config_differs import config_differs
from runbook.errors import EnablementError, Unreachable, VerificationFailed
from runbook.hosts import ApiServer
from runbook.names import SHORTEST_TOKEN
from runbook.objects.config import blames_the_role
from runbook.request import ClusterRequest
from systems.openshift import OpenShift
from systems.own_address import own_address
from systems.vault import Login, Refused, Vault
from systems.vault_http import Answer

USED_UP = (
    "not proved: the session can no longer read its own secrets; "
    "it is used up (token_num_uses of the role), or was revoked"
)
"""Why a 403 says nothing of what a session may do."""

PROBE = "enablement-probe"
"""A secret's name that nobody uses: reading it answers 404 where reading is allowed, 403 where it is not."""

MAY_READ = {200, 404}


def starter_token(openshift: OpenShift, request: ClusterRequest, namespace: str) -> SecretStr:
    """A new token of the starter ServiceAccount of a namespace, for one login."""
    return openshift.request_token(namespace, request.service_account, SHORTEST_TOKEN).token


def log_in_as_starter(
    vault: Vault, request: ClusterRequest, api: ApiServer, token: SecretStr
) -> Login | Refused:
    """Log in at the cluster's mount with a starter's token.

    Raises:
        VerificationFailed: Vault would send the token elsewhere than to ``api``; nothing was sent.
        AccessDenied: we may not read the mount's config, so that is not known; nothing was sent.
    """
    mount = request.target.mount
    cause = config_differs(mount, vault.kubernetes_config(mount), api.host, api.ca_pem)
    if cause is not None:
        raise VerificationFailed(cause.system, cause.subject, cause.answer, cause.remedy)
    return vault.log_in(mount, {"role": request.target.role, "jwt": token})


@dataclass(frozen=True, slots=True)
class Tried:
    """A secret that a session has tried to read.

    Attributes:
        mount: of the secrets engine.
        secret: its path below it.
        is_own: whether it must be allowed; else it must not.
        answer: of Vault; 404 is "no such secret" where reading is allowed, and also "no such secrets engine".
    """

    mount: str
    secret: str
    is_own: bool
    answer: Answer

    @property
    def path(self) -> str:
        """As Vault's API has it."""
        return f"{self.mount}/data/{self.secret}"


def try_reading(session: Vault, request: ClusterRequest) -> Iterator[Tried]:
    """What a starter's session must be able to read, then what it must not."""
    target = request.target

    def tried(folder: str, *, is_own: bool = False) -> Tried:
        mount, secret = target.secrets_mount, f"{folder}{PROBE}"
        return Tried(mount, secret, is_own, session.look(f"{mount}/data/{secret}"))

    yield tried(target.secrets_path, is_own=True)
    for folder in target.folders_of_others(request.policy_scope):
        yield tried(folder)


def is_used_up(session: Vault, own: Tried) -> bool:
    """Whether the session may no more what it could do before: see `USED_UP`."""
    return own.answer.status in MAY_READ and session.look(own.path).status not in MAY_READ


def end_session(session: Vault) -> str:
    """End a starter's session; why it was not ended, empty if it was.

    A batch token, one without the policy `default`, and one whose uses are counted cannot end themselves:
    the role is meant so, and they end by themselves.
    """
    try:
        session.revoke_own_token()
    except EnablementError as error:
        return f"it expires by itself: {error.answer}"
    return ""


def login_fails_by_the_config(
    vault: Vault, openshift: OpenShift, request: ClusterRequest, api: ApiServer
) -> bool:
    """Whether logins of the starter ServiceAccount are refused, and not by the role.

    Vault looks at the role first: a namespace that it does not bind says nothing of config and JWT, so the
    next one is tried. Sessions are ended at once.
    """
    for namespace in request.account_namespaces:
        login = log_in_as_starter(vault, request, api, starter_token(openshift, request, namespace))
        if isinstance(login, Login):
            end_session(vault.as_session(login))
            return False
        if not blames_the_role(str(login)):
            return not _role_refuses_our_address(vault, request)
    return False


def _role_refuses_our_address(vault: Vault, request: ClusterRequest) -> bool:
    """What Vault answers like a JWT that is not accepted."""
    role = vault.role(request.target.mount, request.target.role) or {}
    if not role.get("token_bound_cidrs"):
        return False
    try:
        return allows_address(role, own_address(vault.address)) is False
    except Unreachable:  # by a proxy alone
        return False
