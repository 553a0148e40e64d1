"""The builds of a change, and how an object that they have is compared with what we mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from runbook.changes import shown
from runbook.checks import Status
from runbook.documents import field
from runbook.gitops.built import Built

_SHOWN = 80
"""Characters of a value."""
CHANGED = (
    "A patch, a replacement or a component changes it, or it was there before and is kept. "
    "Correct that, unless it is intended."
)

Verdict: TypeAlias = tuple[Status, str, str]
"""What a `Check` says of its prerequisite: status, found, remedy."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A folder before and after our change."""

    before: Built
    after: Built


@dataclass(frozen=True, slots=True)
class Builds:
    """The folders that an onboarding changes, and the operator's bundle by itself."""

    overlay: Rebuilt
    operator: Rebuilt
    applications: Rebuilt
    bundle: Built


def otherwise(there: Any, meant: Any, path: str = "") -> Iterator[str]:
    """The values of ``meant`` that ``there`` has otherwise; what it has beside them does not count."""
    if isinstance(meant, Mapping):
        for key, value in meant.items():
            yield from otherwise(field(there, key), value, f"{path}.{key}" if path else str(key))
    elif there != meant:
        yield f"{path} is {shown(there)[:_SHOWN]}, not {shown(meant)[:_SHOWN]}"
