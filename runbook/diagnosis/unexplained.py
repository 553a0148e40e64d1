"""What is said where no cause was found: what was seen, and what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.diagnosis.cause import Cause


@dataclass(frozen=True, slots=True)
class CauseNotFound(Cause):
    """Nothing that could be looked at is wrong. ``not_known`` is what could not be looked at"""

    vault_says = ""
    login: str
    words: str
    not_known: tuple[str, ...]

    @property
    def subject(self) -> str:
        return f"login of {self.login}"

    @property
    def answer(self) -> str:
        known = f"; not known: {'; '.join(self.not_known)}" if self.not_known else ""
        return f"{self.words}, and what could be looked at is right{known}"

    @property
    def remedy(self) -> str:
        if self.not_known:
            return "Give the pipeline the right to look at these, or look at them yourself; see the table."
        return "Look at Vault's own log at level debug: it has the reason at the time of this login."


@dataclass(frozen=True, slots=True)
class LoginNotTried(Cause):
    """There was no token to log in with"""

    system = "OpenShift"
    vault_says = ""
    account: str
    why: str

    @property
    def subject(self) -> str:
        return f"token of {self.account}"

    @property
    def answer(self) -> str:
        return f"could not be had, so the login was not tried: {self.why}"

    @property
    def remedy(self) -> str:
        return "Check address and credentials of the ClusterConnection, and its right to such tokens."
