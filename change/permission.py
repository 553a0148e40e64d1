"""What a step may write, and where the record of each of its writes goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from change.records import Recorder, identity_in_vault
from runbook.approval import ApprovedPlan
from runbook.changes import Change
from runbook.errors import AccessDenied
from systems.vault import Vault

Keep = Callable[[str, Change, Mapping[str, str], bool], None]
"""Takes the system, the change, SHA-256 of secret values by field, and whether the system confirmed it."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Given to the functions that write; nothing of it has a default, so that nobody writes without a plan.

    Attributes:
        plan: what was approved.
        keep: see `Keep`.
        check_values: raises for changes with values that our token may not write.
        check_rights: asks Vault, and raises for changes that our token may not write.
    """

    plan: ApprovedPlan
    keep: Keep
    check_values: Callable[[Sequence[Change]], None]
    check_rights: Callable[[Sequence[Change]], None]

    def check(self, changes: Sequence[Change]) -> None:
        """Go on if all of these may be written.

        Raises:
            PlanMoved: they are not a part of the approved plan.
            Conflict: a value of somebody else's would be written with them, which our token may not.
        """
        self.plan.check(changes)
        self.check_values(changes)

    def record(
        self, change: Change, system: str = "Vault", *, confirmed: bool = True, **secrets: str
    ) -> None:
        """Keep the record of a change that was just made, or may have been."""
        self.keep(system, change, secrets, confirmed)

    @contextmanager
    def recording(self, change: Change, system: str = "Vault", **secrets: str) -> Iterator[None]:
        """Keep the record of the change that the block makes.

        Where no answer tells whether it was made there is a record too: a retry finds everything as wanted,
        and has nothing to record any more.

        Raises:
            AccessDenied: the system refused it; of Vault, with what an administrator can do.
        """
        try:
            yield
        except AccessDenied:
            # Asked before each write, the same would be a request more, and nothing safer.
            self.check_rights([change])
            raise
        except BaseException as error:
            if getattr(error, "maybe_done", True):
                self.keep(system, change, secrets, False)
            raise
        self.keep(system, change, secrets, True)


def permission(
    plan: ApprovedPlan,
    vault: Vault,
    recorder: Recorder,
    check_values: Callable[[Sequence[Change]], None],
    check_rights: Callable[[Sequence[Change]], None],
    elsewhere: str,
) -> Permission:
    """The permission to carry out a plan, whose changes a recorder keeps.

    Args:
        plan: what was approved.
        vault: asked whom it takes us for, once something was written.
        recorder: keeps each change.
        check_values, check_rights: see `Permission`.
        elsewhere: whom other systems than Vault take us for.
    """
    acted_as = identity_in_vault(vault)

    def keep(system: str, change: Change, secrets: Mapping[str, str], confirmed: bool) -> None:
        who = acted_as() if system == "Vault" else elsewhere
        recorder.keep(system, change, who, secrets, confirmed=confirmed)

    return Permission(plan, keep, check_values, check_rights)
