"""What suspended runs wait for, counted, for those who keep the installation running."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prefect.client.schemas.objects import FlowRun, StateType

KINDS = ("merge", "approval", "sync", "store", "other")
"""Told by the key of the suspension; ``other`` is one that this version does not know."""

_KEY = re.compile(r"(?:plan-)?(merge|approval|sync|store)-")


@dataclass(frozen=True, slots=True)
class Waits:
    """How many runs are suspended, by what they wait for, and when the oldest of them began."""

    count: Mapping[str, int] = field(default_factory=dict)
    since: datetime | None = None


def waits_of(runs: Iterable[FlowRun]) -> Waits:
    """What these runs wait for; those that work do not count."""
    suspended = [run for run in runs if run.state_type == StateType.PAUSED]
    began = [run.start_time or run.created for run in suspended]
    return Waits(Counter(map(wait_of, suspended)), min(filter(None, began), default=None))


def wait_of(run: FlowRun) -> str:
    """What a suspended run waits for: one of `KINDS`."""
    key = (run.state.state_details.pause_key if run.state else None) or ""
    found = _KEY.match(key)
    return found[1] if found else "other"
