"""One prerequisite, what was found, and what to do if it is not met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "failed", "warning", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the preflight table. Only ``failed`` stops the run."""

    prerequisite: str
    status: Status
    found: str
    remedy: str = ""
