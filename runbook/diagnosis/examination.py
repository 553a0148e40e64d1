"""What the diagnosis has asked, and what it makes of the answers.

The questions are asked in the order in which Vault itself checks a login: exp, nbf and aud of the token,
name, namespace, then TokenReview. So of several faults the first is the one at which Vault stopped; where
Vault says which check it was, that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from runbook.application_names import IN_WORDS, ApplicationNames
from runbook.diagnosis.cause import Blocks, Cause, Entry
from runbook.errors import EnablementError
from runbook.foreign_text import plain

T = TypeVar("T")
Mark = Literal["right", "wrong", "not known"]
_ORDER: tuple[Blocks, ...] = ("login", "session", "store", "secret", "nothing")


@dataclass(frozen=True, slots=True)
class Row:
    """One question, the system that was asked, and its answer."""

    question: str
    system: str
    answer: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why an answer tells nothing."""

    why: str


Verdict = str | Cause | NotKnown | None
"""What an answer means: what is right, what is wrong, why neither is known; None where the caller says it."""


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
        works: whether a login went through.
        applications: the names to say in remedies.
    """

    rows: tuple[Row, ...]
    causes: tuple[Cause, ...]
    warnings: tuple[Cause, ...]
    works: bool
    applications: ApplicationNames = IN_WORDS

    @property
    def line(self) -> str:
        """The one line: the cause and the remedy, or that all is well."""
        if self.causes:
            first = self.causes[0]
            return plain(f"{first.system}, {first.subject}: {self.answer(first)}. {self.remedy(first)}")
        but = "".join(f"; but {cause.line}" for cause in self.warnings)
        return f"the login works{but}"

    def answer(self, cause: Cause) -> str:
        """What is wrong, and whether logins pass all the same for now."""
        lives_on = cause.kind.value.outlives_a_login and self.works
        return cause.answer + ("; it still works until Vault reconnects" if lives_on else "")

    def remedy(self, cause: Cause) -> str:
        """What a person does now."""
        return self.applications.put_into(cause.remedy)


@dataclass(slots=True)
class Findings:
    """Collects rows and faults while the systems are asked.

    Attributes:
        not_known: questions on the login that nobody answered; without them nothing is excluded.
        faults: in the order in which they were found, each of one namespace's login only, or of all (empty).
    """

    rows: list[Row] = field(default_factory=list)
    not_known: list[str] = field(default_factory=list)
    tried: list[LoginTried] = field(default_factory=list)
    faults: list[tuple[Cause, str]] = field(default_factory=list)

    def ask(
        self,
        question: str,
        system: str,
        look: Callable[[], T],
        judge: Callable[[T], Verdict],
        *,
        namespace: str = "",
        matters: bool = True,
    ) -> tuple[T | None, Mark]:
        """What ``look`` returns, with a row for what it means; None and "not known" where it cannot be asked.

        Args:
            question, system: what is asked, and whom.
            look, judge: the answer, and what it means.
            namespace: whose login alone a fault spoils; empty for all.
            matters: whether a fault there could be why the login is refused.
        """
        try:
            value = look()
            verdict = judge(value)
        except EnablementError as error:
            return None, self.say(question, NotKnown(said(error)), system, matters=matters)
        return value, self.say(question, verdict, system, namespace, matters=matters)

    def say(
        self, question: str, verdict: Verdict, system: str = "", namespace: str = "", *, matters: bool = True
    ) -> Mark:
        """Keep what an answer means; arguments as of `ask`, but that a cause knows its system."""
        if isinstance(verdict, Cause):
            self.faults.append((verdict, namespace))
            row = Row(question, verdict.system, plain(f"{verdict.subject}: {verdict.answer}"), "wrong")
        elif isinstance(verdict, NotKnown):
            row = Row(question, system, plain(verdict.why), "not known")
            if matters:
                self.not_known.append(f"{question} ({row.answer})")
        elif verdict is None:
            return "right"
        else:
            row = Row(question, system, plain(verdict), "right")
        self.rows.append(row)
        return row.mark

    def is_suspected(self, namespace: str) -> bool:
        """Whether a fault may have spoilt the login of a namespace, once all logins were tried."""
        return any(
            cause.kind.value.blocks == "login"
            and only in {"", namespace}
            and not self._disproved(cause, only)
            for cause, only in self.faults
        )

    def _disproved(self, cause: Cause, only: str) -> bool:
        """Whether a login went through where this fault would have stopped it."""
        entry = cause.kind.value
        works = any(one.works for one in self.tried if only in {"", one.namespace})
        return entry.blocks == "login" and works and not entry.outlives_a_login

    def conclude(self, applications: ApplicationNames = IN_WORDS) -> Examination:
        """Weigh the faults: what a working login disproves is a warning, and what Vault named leads."""
        causes: list[Cause] = []
        warnings: list[Cause] = []
        for cause, namespace in self.faults:
            is_warning = cause.kind.value.blocks in {"secret", "nothing"} or self._disproved(cause, namespace)
            (warnings if is_warning else causes).append(cause)
        words = " ".join(one.words for one in self.tried if one.works is False)
        first = _first_what_vault_says(causes, words)
        works = any(one.works for one in self.tried)
        return Examination(tuple(self.rows), first, tuple(warnings), works, applications)


def said(error: EnablementError) -> str:
    """What could not be asked, and why."""
    return f"{error.subject}: {error.answer}"


def _first_what_vault_says(causes: Sequence[Cause], words: str) -> tuple[Cause, ...]:
    in_order = sorted(causes, key=lambda cause: _ORDER.index(cause.kind.value.blocks))
    named = [cause for cause in in_order if _is_named(cause.kind.value, words)][:1]
    return (*named, *(cause for cause in in_order if cause not in named))


def _is_named(entry: Entry, words: str) -> bool:
    return entry.blocks == "login" and bool(entry.vault_says) and entry.vault_says in words
