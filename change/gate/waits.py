"""What suspended runs wait for, told by the key of their suspension."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prefect.client.schemas.objects import FlowRun, State, StateType

MERGE, APPROVAL = "merge", "approval"
"""What the engine itself waits for. Each runbook has further kinds, of what its steps may lack."""


def key_of(kind: str) -> str:
    """Begins the key of each suspension for what is of this kind; a number follows."""
    return "plan-approval-" if kind == APPROVAL else f"{kind}-gate-"


def kind_of(state: State[Any] | None) -> str:
    """The kind of what a run in this state is suspended for; empty where its key tells none."""
    key = (state.state_details.pause_key if state else None) or ""
    return APPROVAL if key.startswith(key_of(APPROVAL)) else key.rpartition("-gate-")[0]


@dataclass(frozen=True, slots=True)
class Waits:
    """How many runs are suspended, by what they wait for, and when the oldest of them began."""

    count: Mapping[str, int] = field(default_factory=dict)
    since: datetime | None = None


def waits_of(runs: Iterable[FlowRun]) -> Waits:
    """What these runs wait for; those that work do not count."""
    suspended = [run for run in runs if run.state_type == StateType.PAUSED]
    began = [run.start_time or run.created for run in suspended]
    count = Counter(kind_of(run.state) for run in suspended)
    return Waits(count, min(filter(None, began), default=None))
