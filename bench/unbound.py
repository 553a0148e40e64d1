"""Steps without a run: no plan to keep to, and no record. For measurements and tests."""

from __future__ import annotations

from collections.abc import Iterable

from change.permission import Keep, Permission
from runbook.approval import ApprovedPlan
from runbook.changes import Change


class AnyPlan(ApprovedPlan):
    """Whatever a step wants to do is a part of it."""

    def check(self, changes: Iterable[Change]) -> None:
        """Go on."""


ANY_PLAN = AnyPlan("0" * 64, (), None)


def unbound(keep: Keep = lambda *_: None) -> Permission:
    """The permission to write anything; ``keep`` takes the records."""
    return Permission(ANY_PLAN, keep, lambda _changes: None, lambda _changes: None)
