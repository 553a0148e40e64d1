"""What the diagnosis has asked, and what it makes of the answers.

The questions are asked in the order in which Vault itself checks a login: exp, nbf and aud of the token,
name, namespace, then TokenReview. So of several faults the first is the one at which Vault stopped; where
Vault says which check it was, that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from runbook.diagnosis.cause import Blocks, Cause, one_line

Mark = Literal["right", "wrong", "not known"]
_ORDER: tuple[Blocks, ...] = ("login", "session", "store")


@dataclass(frozen=True, slots=True)
class Row:
    """One question, the system that was asked, and its answer."""

    question: str
    system: str
    answer: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class LoginTried:
    """How the login of one starter ServiceAccount came out.

    Attributes:
        namespace: whose ServiceAccount.
        works: None where it could not be tried.
        words: Vault's answer, or why it was not tried.
    """

    namespace: str
    works: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Examination:
    """The whole, for the table and for the one line.

    Attributes:
        rows: in the order in which they were asked.
        causes: the first is the one to say; the others are there as well.
        warnings: faults that did not keep the login from working.
    """

    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    warnings: tuple[Cause, ...]

    @property
    def line(self) -> str:
        """The one line: the cause and the remedy, or that all is well."""
        if self.causes:
            return one_line(f"{self.causes[0].line}. {self.causes[0].remedy}")
        but = "".join(f"; but {cause.line}" for cause in self.warnings)
        return f"the login works{but}"


@dataclass(slots=True)
class Findings:
    """Collects rows and faults while the systems are asked.

    Attributes:
        not_known: questions on the login that nobody answered; without them nothing is excluded.
    """

    rows: list[Row] = field(default_factory=list)
    not_known: list[str] = field(default_factory=list)
    tried: list[LoginTried] = field(default_factory=list)
    _faults: list[tuple[Cause, str]] = field(default_factory=list)

    def right(self, question: str, system: str, answer: str) -> None:
        """It is as it should be."""
        self.rows.append(Row(question, system, one_line(answer), "right"))

    def wrong(self, question: str, cause: Cause, namespace: str = "") -> None:
        """It is a fault; of one namespace's login only, or of all."""
        self.rows.append(Row(question, cause.system, one_line(f"{cause.subject}: {cause.answer}"), "wrong"))
        self._faults.append((cause, namespace))

    def unknown(self, question: str, system: str, why: str, *, matters: bool = True) -> None:
        """It could not be asked. ``matters``: a fault there could be why the login is refused."""
        self.rows.append(Row(question, system, one_line(why), "not known"))
        if matters:
            self.not_known.append(f"{question} ({one_line(why)})")

    def refused(self, question: str, system: str, answer: str) -> None:
        """It is not as it should be in consequence of something else, which has a row of its own."""
        self.rows.append(Row(question, system, one_line(answer), "wrong"))

    def suspects(self, namespace: str) -> list[Cause]:
        """Faults that may have spoilt the login of a namespace, once all logins were tried."""
        return [
            cause
            for cause, only in self._faults
            if cause.blocks == "login" and only in {"", namespace} and not self._disproved(cause, only)
        ]

    def _disproved(self, cause: Cause, only: str) -> bool:
        """Whether a login went through where this fault would have stopped it."""
        return cause.blocks == "login" and any(one.works for one in self.tried if only in {"", one.namespace})

    @property
    def faults(self) -> list[Cause]:
        """All faults, in the order in which they were found."""
        return [cause for cause, _ in self._faults]

    def conclude(self) -> Examination:
        """Weigh the faults: what a working login disproves is a warning, and what Vault named leads."""
        causes: list[Cause] = []
        warnings: list[Cause] = []
        for cause, namespace in self._faults:
            (warnings if self._disproved(cause, namespace) else causes).append(cause)
        words = " ".join(one.words for one in self.tried if one.works is False)
        return Examination(tuple(self.rows), _first_what_vault_says(causes, words), tuple(warnings))


def _first_what_vault_says(causes: Sequence[Cause], words: str) -> tuple[Cause, ...]:
    in_order = sorted(causes, key=lambda cause: _ORDER.index(cause.blocks))
    logins = [cause for cause in in_order if cause.blocks == "login"]
    first = [cause for cause in logins if cause.vault_says and cause.vault_says in words][:1]
    return (*first, *(cause for cause in in_order if cause not in first))
