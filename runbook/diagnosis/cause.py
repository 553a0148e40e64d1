"""What a cause is: one thing that is wrong, said in one line, with what a person does about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from runbook.foreign_text import plain

Blocks = Literal["login", "session", "store", "secret", "nothing"]
"""What it spoils: the login, what its session may do, the operator's SecretStore, one ExternalSecret; or
nothing of ours, and has to be known all the same. The last two are warnings, which fail no diagnosis."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the table says of a kind of cause; subject, answer and remedy have a cause's fields in braces.

    Attributes:
        system: who has it, as in errors.
        subject: about what, as an operator would name it.
        answer: what is wrong with it, without a full stop.
        remedy: what a person does now.
        blocks: see `Blocks`.
        vault_says: what a login is answered with then (part of ``errors[0]``); empty where Vault says nothing
            of its own. Vault gives one answer for many causes, so this never finds a cause: it only tells
            which of the faults that were found is the one that Vault met first. Only for what blocks a login.
        outlives_a_login: a login that works does not disprove it: Vault keeps its connection to the API
            server, and will meet the fault when it connects again.
    """

    system: str
    subject: str
    answer: str
    remedy: str
    blocks: Blocks = "login"
    vault_says: str = "permission denied"
    outlives_a_login: bool = False


class Kind(Enum):
    """Base of the table: each member is a kind of cause, by a name that stays."""

    _value_: Entry

    def of(self, **fields: object) -> Cause:
        """A cause of this kind, with a value for each field that its entry has in braces."""
        entry = self.value
        subject, answer, remedy = (
            text.format(**fields) for text in (entry.subject, entry.answer, entry.remedy)
        )
        return Cause(self, entry.system, subject, answer, remedy)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong: its kind, and what the table says of it with the fields put in."""

    kind: Kind
    system: str
    subject: str
    answer: str
    remedy: str

    @property
    def line(self) -> str:
        """The cause in one line."""
        return plain(f"{self.system}, {self.subject}: {self.answer}")


def listed(names: Iterable[str], nothing: str = "") -> str:
    """Names for a sentence."""
    return ", ".join(names) or nothing
