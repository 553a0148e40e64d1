"""What a step may write, and where the record of each of its writes goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from runbook.approval import ApprovedPlan
from runbook.changes import Change
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks import connect
from tasks.pins import check_pins
from tasks.records import Recorder, identity_in_vault, recording

Keep = Callable[[str, Change, Mapping[str, str], bool], None]
"""Takes the system, the change, SHA-256 of secret values by field, and whether the system confirmed it."""


def _nowhere(_system: str, _change: Change, _secrets: Mapping[str, str], _confirmed: bool) -> None:
    """No record is kept outside a run."""


def _all_values(_changes: Iterable[Change]) -> None:
    """Nothing is known of what our token may write."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """Given to the functions that write. Without a plan everything that a step wants to write may be written.

    Attributes:
        plan: what was approved.
        keep: see `Keep`.
        check_values: raises what `tasks.pins.check_pins` does for values that our token may not write.
    """

    plan: ApprovedPlan | None = None
    keep: Keep = _nowhere
    check_values: Callable[[Iterable[Change]], None] = _all_values

    def check(self, changes: Sequence[Change]) -> None:
        """Go on if all of these may be written.

        Raises:
            PlanMoved: they are not a part of the approved plan.
            Conflict: a value of somebody else's would be written with them, which our token may not.
        """
        if self.plan is not None:
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
        """
        try:
            yield
        except BaseException as error:
            if getattr(error, "maybe_done", True):
                self.keep(system, change, secrets, False)
            raise
        self.keep(system, change, secrets, True)


UNBOUND = Mandate()
"""For callers that have no run and no plan: tests and measurements."""


@contextmanager
def mandate(request: EnableRequest, approved: Mapping[str, Any] | None, vault: Vault) -> Iterator[Mandate]:
    """The mandate of a step of a run.

    Args:
        request: the run's parameters.
        approved: result of `tasks.approval.approved_plan`: the plan, and the pull request it came with.
        vault: asked whom it takes us for, once something was written, and what our token may write.
    """

    def check_values(changes: Iterable[Change]) -> None:
        if connect.vault_connection(request).pinned_policy:
            check_pins(vault, request, changes)

    plan = ApprovedPlan(approved["sha256"], approved["changes"]) if approved else None
    with recording(request, approved["pull_request"] if approved else None) as recorder:
        yield replace(recorded(request, plan, vault, recorder), check_values=check_values)


def recorded(request: EnableRequest, plan: ApprovedPlan | None, vault: Vault, recorder: Recorder) -> Mandate:
    """The mandate to carry out a plan, whose changes a recorder keeps."""
    acted_as = identity_in_vault(vault)

    def keep(system: str, change: Change, secrets: Mapping[str, str], confirmed: bool) -> None:
        who = acted_as() if system == "Vault" else f"ClusterConnection {request.cluster_connection}"
        recorder.keep(system, change, who, secrets, confirmed=confirmed)

    return Mandate(plan, keep)
