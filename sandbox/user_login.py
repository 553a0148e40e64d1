"""The users' half of the proof: an administrator of the environment gets its policy, nobody else does.

On a real installation people log in at ``oidc/`` through their identity provider, which the pipeline cannot
do for them. The sandbox's ``oidc/`` trusts a key of its own, so here it is tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.vault_seed import OIDC_MOUNT, OIDC_ROLE
from sandbox.vault_server import VaultServer


@dataclass(frozen=True, slots=True)
class LoginProof:
    """Whether it holds, and a sentence about it."""

    holds: bool
    sentence: str


def identity_policies(vault: VaultServer, groups: list[str], user: str) -> list[str]:
    """The policies that a user gets at ``oidc/`` through membership in groups. The token is revoked."""
    login = vault.request(
        "POST", f"auth/{OIDC_MOUNT}/login", {"role": OIDC_ROLE, "jwt": vault.sign_user_jwt(groups, user)}
    )["auth"]
    vault.request("POST", "auth/token/revoke", {"token": login["client_token"]})
    policies: list[str] = login.get("identity_policies") or []
    return policies


def prove_user_login(vault: VaultServer, env: str) -> LoginProof:
    """Log in as a member of ``vault-admins-<env>`` and as somebody else."""
    group, policy = f"vault-admins-{env}", f"{env}-kv-rw"
    member = identity_policies(vault, [group], "alice")
    stranger = identity_policies(vault, ["somebody-else"], "mallory")
    if member == [policy] and not stranger:
        return LoginProof(
            True,
            "User login proved, which the run leaves to people, at the sandbox's own identity provider: "
            f"a member of {group} gets {policy}, another user does not.",
        )
    return LoginProof(
        False,
        f"User login is wrong: a member of {group} gets {member or 'nothing'}, another user {stranger}.",
    )
