"""One difference between what is there and what we want, ready to be read by people and to be carried out.

A plan is a sequence of these. A step computes the same ones again just before it writes, so that what is
shown and what is done come from the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["none", "create", "update"]


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
        action: ``none`` when the object is as wanted, or more than that in a way that does no harm.
        path: where to write, as in ``vault write <path>``.
        payload: what to write; never holds a secret (a secret is added inside the step that writes it).
        differences: for people; a secret stands here as a word, never as a value.
        note: anything that a reader should know, for example what is kept although it is not ours.
    """

    object: str
    action: Action
    path: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        fields = ", ".join(difference.field for difference in self.differences)
        words = {"none": "as wanted", "create": "created", "update": f"updated ({fields})"}[self.action]
        return f"{self.object}: {words}{f'; {self.note}' if self.note else ''}"

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, for results, artifacts and the plan's hash."""
        return {
            "object": self.object,
            "action": self.action,
            "path": self.path,
            "differences": [
                {"field": part.field, "before": part.before, "after": part.after} for part in self.differences
            ],
            "note": self.note,
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


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, list | tuple) else value
