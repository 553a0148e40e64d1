"""Rights that only a run needs that is no plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runbook.checks import Check
from runbook.errors import AccessDenied, Conflict
from runbook.request import ClusterRequest

R = TypeVar("R", bound=ClusterRequest)


def carried_out(request: R) -> R:
    """The run that would carry the plan out."""
    return request.model_copy(update={"plan_only": False})


def to_write(
    request: ClusterRequest, row: str, question: Callable[[], str | Check]
) -> Callable[[], str | Check]:
    """A question about rights to write: a plan goes on without them, and its row says what will be needed."""

    def ask() -> str | Check:
        try:
            return question()
        except (AccessDenied, Conflict) as error:
            if not request.plan_only:
                raise
            found = f"{error.subject}: {error.answer}"
            return Check(row, "warning", found, f"Needed to carry out the plan. {error.remedy}")

    return ask
