"""The rows of preflight on one system: every prerequisite gets one, whatever became of the others.

Whoever sets up a cluster should learn of everything that is wrong at once, and of what could not be asked
because something else is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from runbook.checks import Check
from runbook.errors import AccessDenied, EnablementError, PrerequisiteMissing

T = TypeVar("T")


class Table:
    """The rows on one system, in the order of ``prerequisites``.

    Args:
        system: whom the rows are about, as in errors: ``"Vault"``.
        prerequisites: names of the rows that there are in any case.
    """

    def __init__(self, system: str, prerequisites: Iterable[str] = ()) -> None:
        self.system = system
        self.errors: dict[str, EnablementError] = {}
        """Why a prerequisite is not met, by its name."""
        self._rows: dict[str, Check | None] = dict.fromkeys(prerequisites)
        self._known_gap = ""

    @property
    def rows(self) -> list[Check]:
        """All rows. What was never asked waits for the first prerequisite that is not met."""
        first = next(iter(self.errors), None)
        why = f"checked once this is met: {first}" if first else "could not be asked"
        return [
            row or Check(prerequisite, "not checked", why, system=self.system)
            for prerequisite, row in self._rows.items()
        ]

    def add(self, *rows: Check) -> None:
        """Put rows in; a failed one is an error as well."""
        for row in rows:
            self._rows[row.prerequisite] = replace(row, system=self.system)
            if row.status == "failed":
                error = PrerequisiteMissing(self.system, row.prerequisite, row.found, row.remedy)
                self.errors[row.prerequisite] = error

    def ok(self, prerequisite: str, found: str) -> None:
        """The prerequisite is met."""
        self.add(Check(prerequisite, "ok", found))

    def skip(self, prerequisite: str, why: str) -> None:
        """It could not be asked, or does not apply."""
        self.add(Check(prerequisite, "not checked", why))

    def wait(self, prerequisite: str, why: str) -> None:
        """It is not met only because something else is not."""
        del self.errors[prerequisite]
        self.skip(prerequisite, why)

    def fail(self, prerequisite: str, error: EnablementError) -> None:
        """It is not met, or asking failed."""
        found = f"{error.subject}: {error.answer}"
        self._rows[prerequisite] = Check(prerequisite, "failed", found, error.remedy, self.system)
        self.errors[prerequisite] = error

    def rights_are_named_by(self, prerequisite: str) -> None:
        """If that row failed, it names the rights that we lack: a refusal of later rows is nothing new."""
        if prerequisite in self.errors:
            self._known_gap = prerequisite

    def get(self, prerequisite: str, question: Callable[[], T]) -> T | None:
        """What ``question`` returns; None if it raised, which the row then says."""
        try:
            return question()
        except AccessDenied as error:
            if self._known_gap:
                self.skip(prerequisite, f"our rights do not suffice; see: {self._known_gap}")
            else:
                self.fail(prerequisite, error)
        except EnablementError as error:
            self.fail(prerequisite, error)
        return None

    def check(self, prerequisite: str, question: Callable[[], str | Check]) -> bool:
        """Fill the row with what ``question`` returns: what was found, where that is fine, else a row.

        Returns:
            False if it failed.
        """
        answer = self.get(prerequisite, question)
        if answer is not None:
            self.add(answer if isinstance(answer, Check) else Check(prerequisite, "ok", answer))
        return prerequisite not in self.errors
