"""One prerequisite, what was found, and what to do if it is not met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runbook.foreign_text import plain

Status = Literal["ok", "failed", "warning", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the preflight table. Only ``failed`` stops the run.

    Attributes:
        prerequisite: what has to be there: ``"Vault is reachable"``.
        found: what was found, or why nobody could be asked.
        remedy: what a person does about it.
        system: whom it is about, as in errors; filled in by preflight.

    The texts are made fit for a log.
    """

    prerequisite: str
    status: Status
    found: str
    remedy: str = ""
    system: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", plain(self.found))
        object.__setattr__(self, "remedy", plain(self.remedy, keep="\n"))
