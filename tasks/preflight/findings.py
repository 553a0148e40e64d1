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
        signs: see `Checked`.
        waiting: prerequisites that nobody can meet before the cluster's name is right.
    """

    tables: tuple[Table, ...]
    edits: tuple[FileEdit, ...] = ()
    changes: tuple[Change, ...] = ()
    served_versions: tuple[str, ...] = ()
    applications: ApplicationNames = field(default_factory=ApplicationNames)
    signs: bool | None = None
    waiting: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for table in self.tables:
            for prerequisite in self.waiting & table.errors.keys():
                table.wait(prerequisite, "checked once the repository has this cluster")

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

    def error(self) -> EnablementError | None:
        """The one error that stands for all of them; None if every prerequisite is met.

        What is said of the first stands first: people see the beginning of a state's message.

        It is transient, and so asked again by Prefect, only if all of them are: while a person has to do
        something, asking again does not help.
        """
        errors = self.errors
        if not errors:
            return None
        # The longest time that one of the systems asks for.
        wait = max((error.retry_after or 0 for error in errors), default=0) or None
        first, *others = errors
        if not others:
            return type(first)(
                first.system, first.subject, first.answer, f"{first.remedy} {_NOTHING}", retry_after=wait
            )
        heals = all(isinstance(error, TransientError) for error in errors)
        further = "; ".join(f"{error.system}, {error.subject}: {error.answer}" for error in others)
        return (TransientError if heals else PrerequisiteMissing)(
            first.system,
            first.subject,
            first.answer,
            f"{first.remedy} Also not met ({len(others)}): {further}. {_NOTHING} The log and the "
            "preflight artifact say what to do about each.",
            retry_after=wait if heals else None,
        )
