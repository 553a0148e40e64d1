"""One difference between what is there and what we want, ready to be read by people and to be carried out.

A plan is a sequence of these. A step computes the same ones again just before it writes, so that what is
shown and what is done come from the same code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runbook.errors import Conflict
from runbook.foreign_text import plain

Action = Literal["none", "create", "update"]

Found = Literal["absent", "same", "same or more", "different", "foreign"]
"""What an object is, beside what we want.

``absent``: not there. ``same``: as we want it. ``same or more``: all of ours is there, and more that somebody
else put there, which stays. ``different``: ours, and a part of it is missing or has another value.
``foreign``: somebody else's; never overwritten, and touched only as far as a parameter of the run says.
"""

FOUND_AS_SAID = ("absent", "same", "different")
"""What "created", "as wanted" and "updated" say already."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field before and after; ``before`` is None where the object or the field is not there."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What has to be done with one object of Vault.

    Attributes:
        object: as an operator names it: ``policy/moc-kv-r``, ``group-alias/vault-admins-moc``.
        found: what is there now.
        action: ``none`` when the object is as wanted, or more than that in a way that does no harm.
        path: where to write, as in ``vault write <path>``.
        payload: what to write; never holds a secret (a secret is added inside the step that writes it).
        differences: for people; a secret stands here as a word, never as a value.
        note: anything that a reader should know, for example what is kept although it is not ours.
        conditional: fields that the step may have to write although no plan can know it beforehand.
    """

    object: str
    found: Found
    action: Action
    path: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    note: str = ""
    conditional: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = ", ".join(difference.field for difference in self.differences)
        words = {
            "none": "as wanted" if self.found == "same" else f"{self.found}, nothing written",
            "create": "created",
            "update": f"updated ({fields})",
        }[self.action]
        return plain(f"{self.object}: {words}{f'; {self.note}' if self.note else ''}")

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, for results, artifacts and the plan's hash."""
        return {
            "object": self.object,
            "found": self.found,
            "action": self.action,
            "path": self.path,
            "differences": [
                {"field": part.field, "before": _plain(part.before), "after": _plain(part.after)}
                for part in self.differences
            ],
            "note": self.note,
            "conditional": list(self.conditional),
        }


def difference(current: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The fields of ``wanted`` that ``current`` has otherwise, in the order of ``wanted``.

    Lists of names are compared as sets: Vault does not keep their order.
    """
    there = current or {}
    return tuple(
        Difference(name, there.get(name), value)
        for name, value in wanted.items()
        if _comparable(there.get(name)) != _comparable(value)
    )


def pending(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Those that something has to be done for."""
    return tuple(change for change in changes if change.action != "none")


def united(current: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Everything of both, what is there first, nothing twice."""
    return tuple(dict.fromkeys((*current, *wanted)))


def foreign(subject: str, answer: str, remedy: str) -> Conflict:
    """The error for an object that is somebody else's: what differs, and what a person can decide."""
    return Conflict("Vault", subject, f"is foreign: {answer}", remedy)


def shown(value: Any) -> str:
    """A value for a person: lists as names, a certificate as its hash."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    text = str(value)
    if "-----BEGIN" in text:
        return f"certificate, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}…"
    return text


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
