"""One question: an answer, or a row that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from runbook.diagnosis.examination import Findings
from runbook.errors import EnablementError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """An answer; ``value`` may be None for "there is no such thing", which is an answer too."""

    value: T


def ask(
    findings: Findings, question: str, system: str, look: Callable[[], T], *, matters: bool = True
) -> Known[T] | None:
    """What ``look`` returns; None if it could not be asked, which is then a row."""
    try:
        return Known(look())
    except EnablementError as error:
        findings.unknown(question, system, f"{error.subject}: {error.answer}", matters=matters)
        return None
