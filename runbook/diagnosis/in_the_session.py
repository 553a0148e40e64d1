"""Causes that let the login pass and spoil the session: the policies, and what there is to read."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.diagnosis.cause import ENABLE_AGAIN, Cause, listed


@dataclass(frozen=True, slots=True)
class PolicyNotHandedOut(Cause):
    """The session does not carry the policy. ``instead`` is what it carries"""

    blocks = "session"
    vault_says = ""
    role: str
    policy: str
    instead: tuple[str, ...]

    @property
    def subject(self) -> str:
        return self.role

    @property
    def answer(self) -> str:
        return f"hands out {listed(self.instead, 'no policy')}, not {self.policy}"

    @property
    def remedy(self) -> str:
        return (
            f"If {self.policy} is right: `vault write {self.role} token_policies={self.policy}`; "
            "else choose the policy_scope that fits."
        )


@dataclass(frozen=True, slots=True)
class PolicyMissing(Cause):
    """The role hands out a policy that does not exist"""

    blocks = "session"
    vault_says = ""
    policy: str

    @property
    def subject(self) -> str:
        return f"policy {self.policy}"

    @property
    def answer(self) -> str:
        return "does not exist; the role hands it out all the same, and it grants nothing"

    @property
    def remedy(self) -> str:
        return ENABLE_AGAIN


@dataclass(frozen=True, slots=True)
class PolicyLacksRule(Cause):
    """The policy is there and does not let the session read its secrets"""

    blocks = "session"
    vault_says = ""
    policy: str
    path: str

    @property
    def subject(self) -> str:
        return f"policy {self.policy}"

    @property
    def answer(self) -> str:
        return f"does not let a session read {self.path}"

    @property
    def remedy(self) -> str:
        return (
            f"Compare `vault policy read {self.policy}` with the rule in the plan of enable-cluster; another "
            "policy of the session may also deny the path."
        )


@dataclass(frozen=True, slots=True)
class SessionReadsTooMuch(Cause):
    """The session may read what is not its own"""

    blocks = "session"
    vault_says = ""
    account: str
    path: str
    policies: tuple[str, ...]

    @property
    def subject(self) -> str:
        return f"session of {self.account}"

    @property
    def answer(self) -> str:
        return f"may read {self.path}, which must not be allowed; its policies: {', '.join(self.policies)}"

    @property
    def remedy(self) -> str:
        return "Find the policy of these that grants it, and narrow it or take it from the role."


@dataclass(frozen=True, slots=True)
class SecretsMountMissing(Cause):
    """The secrets engine is not there"""

    blocks = "session"
    vault_says = ""
    mount: str

    @property
    def subject(self) -> str:
        return f"{self.mount}/"

    @property
    def answer(self) -> str:
        return "is not enabled, so there is nothing to read"

    @property
    def remedy(self) -> str:
        return f"Enable it: `vault secrets enable -path={self.mount} -version=2 kv`."
