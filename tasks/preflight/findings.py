"""What preflight has found, and the error that it deserves."""

from __future__ import annotations

from dataclasses import dataclass, field

from change.table import Table
from runbook.application_names import ApplicationNames
from runbook.changes import Change
from runbook.checks import Check
from runbook.errors import EnablementError, PrerequisiteMissing, TransientError
from runbook.gitops import FileEdit

_NOTHING = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Findings:
    """What the systems answered.

    Attributes:
        tables: one a system, in the order in which people read them.
        edits: of the GitOps repository; none if they could not be worked out.
        changes: objects of Vault in the order in which the steps write them, as far as they are known.
        served_versions: of the SecretStore on the cluster.
        applications: what ArgoCD calls the Applications to sync.
    """

    tables: tuple[Table, ...]
    edits: tuple[FileEdit, ...] = ()
    changes: tuple[Change, ...] = ()
    served_versions: tuple[str, ...] = ()
    applications: ApplicationNames = field(default_factory=ApplicationNames)

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

    def error(self, whom: object) -> EnablementError | None:
        """The one error that stands for all of them; None if every prerequisite is met.

        It is transient, and so asked again by Prefect, only if all of them are: while a person has to do
        something, asking again does not help.
        """
        errors = self.errors
        if not errors:
            return None
        # The longest time that one of the systems asks for.
        wait = max((error.retry_after or 0 for error in errors), default=0) or None
        if len(errors) == 1:
            (one,) = errors
            return type(one)(
                one.system, one.subject, one.answer, f"{one.remedy} {_NOTHING}", retry_after=wait
            )
        heals = all(isinstance(error, TransientError) for error in errors)
        return (TransientError if heals else PrerequisiteMissing)(
            "Preflight",
            str(whom),
            f"{len(errors)} prerequisites are not met. "
            + " ".join(f"({number}) {error}" for number, error in enumerate(errors, 1)),
            f"{_NOTHING} The preflight artifact has all rows.",
            retry_after=wait if heals else None,
        )
