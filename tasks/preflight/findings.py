"""What preflight has found, and the error that it deserves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.changes import Change
from runbook.checks import Check
from runbook.errors import EnablementError, PrerequisiteMissing, TransientError
from runbook.gitops import FileEdit
from runbook.names import Cluster
from tasks.preflight.table import Table

_NOTHING = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Findings:
    """What the systems answered.

    Attributes:
        tables: one a system, in the order in which people read them.
        edits: of the GitOps repository; none if they could not be worked out.
        changes: objects of Vault in the order in which the steps write them, as far as they are known.
        served_versions: of the SecretStore on the cluster.
    """

    tables: tuple[Table, ...]
    edits: tuple[FileEdit, ...] = ()
    changes: tuple[Change, ...] = ()
    served_versions: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Check]:
        """The whole table."""
        return [row for table in self.tables for row in table.rows]

    @property
    def errors(self) -> list[EnablementError]:
        """Why prerequisites are not met, in the order of their rows."""
        return [
            table.errors[row.prerequisite]
            for table in self.tables
            for row in table.rows
            if row.prerequisite in table.errors
        ]

    def error(self, cluster: Cluster) -> EnablementError | None:
        """The one error that stands for all of them; None if every prerequisite is met.

        It is transient, and so asked again by Prefect, only if all of them are: while a person has to do
        something, asking again does not help.
        """
        errors = self.errors
        if not errors:
            return None
        if len(errors) == 1:
            (one,) = errors
            return _asked_again_after(
                type(one)(one.system, one.subject, one.answer, f"{one.remedy} {_NOTHING}"), errors
            )
        heals = all(isinstance(error, TransientError) for error in errors)
        every = (TransientError if heals else PrerequisiteMissing)(
            "Preflight",
            str(cluster),
            f"{len(errors)} prerequisites are not met. "
            + " ".join(f"({number}) {error}" for number, error in enumerate(errors, 1)),
            f"{_NOTHING} The artifact with the table has all rows.",
        )
        return _asked_again_after(every, errors)


def _asked_again_after(error: EnablementError, errors: Sequence[EnablementError]) -> EnablementError:
    """``error``, with the longest time that one of the systems asks for."""
    waits = [one.retry_after for one in errors if isinstance(one, TransientError) and one.retry_after]
    if isinstance(error, TransientError):
        error.retry_after = max(waits, default=None)
    return error
